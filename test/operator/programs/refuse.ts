import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'

// An admission webhook that refuses everything with a text. Prints its port.
const [key = '', cert = '', message = ''] = process.argv.slice(2)

type Review = { readonly request: { readonly uid: string } }

const server = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (request, response) => {
  const answer = async (): Promise<void> => {
    const { uid } = ((await json(request)) as Review).request
    const refusal = { uid, allowed: false, status: { message } }
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response: refusal }))
  }
  void answer()
})
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port))
