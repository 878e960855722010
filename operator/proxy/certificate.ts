import type { KubeObject } from '../../kube/controller/object.ts'
import { parseCertificateMemory } from '../../wire/certificate-memory.ts'
import { keys } from '../../wire/state-secret.ts'
import { textIn } from './state.ts'

/**
 * Why the last request for a certificate has failed, and when `issuer`, a Pod, makes the next one, by its state Secret;
 * undefined if it has not failed.
 */
export function failedRequest(state: KubeObject | undefined, fqdn: string, issuer: string): string | undefined {
  const memory = parseCertificateMemory(textIn(state, keys.certificates) ?? '', Number.POSITIVE_INFINITY)?.get(fqdn)
  if (memory === undefined || memory.failures === 0) return undefined
  const when = new Date(memory.notBefore).toISOString().replace(/\.\d+Z$/, 'Z')
  return `a certificate for ${fqdn}: the last request failed (${memory.reason ?? 'for an unknown reason'}); ${issuer} makes the next one at ${when}`
}
