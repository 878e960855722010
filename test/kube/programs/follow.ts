// Runs in a host with a service account: node follow.ts HOST PORT NAME WAITS (JSON, of FollowWaits) LIMIT (of a call, ms)
// Follows a Secret and prints a line for each event: `asked get|list|watch`, `secret TEXTS` (JSON, null when absent),
// `problem TEXT`, `well`.
import { kubeClient } from '../../../kube/client.ts'
import { followSecret, type FollowWaits } from '../../../kube/follow.ts'

const [host = '', port = '', name = '', waits = '{}', limit = '60000'] = process.argv.slice(2)
const client = kubeClient({ root: '', host, port, addressFromEnv: true }, Number(limit))
const asked = (kind: string): void => console.log(`asked ${kind}`)
const loggingClient: typeof client = {
  ...client,
  getSecret: (...args) => {
    asked('get')
    return client.getSecret(...args)
  },
  listSecret: (...args) => {
    asked('list')
    return client.listSecret(...args)
  },
  watchSecret: (...args) => {
    asked('watch')
    return client.watchSecret(...args)
  },
}
const problem = (text: string | undefined): void => console.log(text === undefined ? 'well' : `problem ${text}`)
const options = { problem, waits: JSON.parse(waits) as Partial<FollowWaits> }
for await (const secret of followSecret(loggingClient, name, options, new AbortController().signal)) {
  const texts = secret && Object.fromEntries([...secret.data].map(([key, value]) => [key, value.toString()] as const))
  console.log(`secret ${JSON.stringify(texts ?? null)}`)
}
