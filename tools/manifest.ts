import { isMap, isScalar, isSeq, parseAllDocuments, visit, type Document } from 'yaml'
import { chart, helm } from '../test/lab/helm.ts'

const head = `# Generated from charts/culvert by \`npm run format\`: the operator, with the rights that it needs and no others. It
# runs under Pod Security level "restricted"; the proxies that it makes in the same namespace forward packets, so the
# namespace itself must admit them.
#
# First the definitions of its kinds, and then this file:
#
#   kubectl apply --server-side --filename operator/crds --filename docs/examples/operator.yaml
#   kubectl create secret generic operator-oauth --namespace tailscale \\
#     --from-literal=client_id=ID --from-literal=client_secret=SECRET
#
# \`kubectl delete --filename\` would delete the namespace with the identities of all proxies, and leave their nodes in the
# tailnet: first see "Remove, without Helm" in docs/install.md.
#
# What to change is marked CHANGE. Another control server, such as Headscale's: add the variable OPERATOR_LOGIN_SERVER.
apiVersion: v1
kind: Namespace
metadata:
  name: tailscale
  labels:
    pod-security.kubernetes.io/enforce: privileged
`

/** What users change in the operator's container: the path to a value, and what to write there. */
const changes = new Map([
  ['image', 'the image that you built, see docs/image.md'],
  ['PROXY_IMAGE', 'the agent’s image'],
  ['PROXY_TAGS', 'tags that the OAuth client may give'],
])

/** docs/examples/operator.yaml: what the chart makes with its defaults. A test compares the two. */
export async function operatorManifest(): Promise<string> {
  const values = ['--namespace=tailscale', '--set=installCRDs=false']
  const { stdout } = await helm(['template', 'operator', chart, '--skip-tests', ...values])
  const documents = parseAllDocuments(stdout.replaceAll(/^# Source: .*\n/gm, ''))
  const texts = documents.filter((one) => isMap(one.contents)).map(written)
  return [head, ...texts].join('---\n')
}

function written(document: Document): string {
  if (document.get('kind') === 'Deployment') mark(document.getIn(['spec', 'template', 'spec', 'containers', 0]))
  // Quotes only where they are needed.
  visit(document, { Scalar: (_key, node) => void delete node.type })
  return document.toString({ lineWidth: 0, singleQuote: true, flowCollectionPadding: false, directives: false })
}

function mark(container: unknown): void {
  if (!isMap(container)) throw new Error('the operator’s Deployment has no container')
  const env = container.get('env', true)
  const variables = isSeq(env) ? env.items.filter(isMap) : []
  for (const [name, what] of changes) {
    const variable = variables.find((one) => one.get('name') === name)
    const value = variable === undefined ? container.get(name, true) : variable.get('value', true)
    if (!isScalar(value)) throw new Error(`the operator’s container has no ${name}`)
    value.comment = ` CHANGE: ${what}`
  }
}
