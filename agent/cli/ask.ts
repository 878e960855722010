import { request } from 'node:http'
import { whenUnanswered } from '../../lib/unanswered.ts'
import { readBody } from '../../lib/read-body.ts'

const seconds = 5
/** Limit for an answer, in bytes; the status with 20,000 services is a tenth of it. */
const limit = 64 * 1024 * 1024

/** Asks the running agent through its socket. In the image, images/lib/probe.pl does the same for kubelet's probes. */
export function ask(socketPath: string, path: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    let answered = false
    const outgoing = request({ socketPath, path, agent: false }, (response) => {
      answered = true
      readBody(response, limit).then((body) => resolve({ status: response.statusCode ?? 0, body }), reject)
    })
    const timer = setTimeout(() => {
      reject(new Error(`no answer within ${seconds} s`))
      outgoing.destroy()
    }, seconds * 1000)
    outgoing.on('close', () => clearTimeout(timer))
    outgoing.on('error', reject)
    whenUnanswered(outgoing, (error) => {
      if (!answered) reject(error)
    })
    outgoing.end()
  })
}
