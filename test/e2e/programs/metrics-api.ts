// Runs in a host: node metrics-api.ts KEY CERTIFICATE PORT
// An API behind an APIService, as metrics-server is: each Pod of a namespace uses the same, and has the name of who asks.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'

const [key = '', certificate = '', port = ''] = process.argv.slice(2)
const apiVersion = 'metrics.k8s.io/v1beta1'
const resources = [{ name: 'pods', singularName: '', namespaced: true, kind: 'PodMetrics', verbs: ['get', 'list'] }]
const discovery = { kind: 'APIResourceList', apiVersion: 'v1', groupVersion: apiVersion, resources }

const metrics = (name: unknown): object => ({
  metadata: { name, namespace: 'default' },
  timestamp: new Date().toISOString(),
  window: '10s',
  containers: [{ name: 'main', usage: { cpu: '250m', memory: '64Mi' } }],
})

const options = { key: readFileSync(key), cert: readFileSync(certificate) }
const server = createServer(options, ({ url = '', headers }, response) => {
  const items = [metrics(headers['x-remote-user'])]
  const list = { kind: 'PodMetricsList', apiVersion, metadata: {}, items }
  response.setHeader('Content-Type', 'application/json')
  response.end(JSON.stringify(url.includes('/pods') ? list : discovery))
})
server.listen(Number(port), () => console.log('ready'))
