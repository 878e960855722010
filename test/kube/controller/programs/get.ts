// Runs in a host with a service account: node get.ts NAME
// Prints the keys of a Secret in the account's namespace, and that of another Secret's refusal.
import { connect } from '../../../../kube/controller/cluster.ts'
import { describe } from '../../../../lib/errors.ts'
import { secrets } from '../resources.ts'

const { signal } = new AbortController()
const { api, namespace } = await connect('in-cluster')
const secret = await api.get(secrets, { name: process.argv[2] ?? '', namespace }, signal)
console.log(JSON.stringify(secret?.['data']))
console.log(await api.get(secrets, { name: 'another', namespace }, signal).catch(describe))
