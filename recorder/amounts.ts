import { parseDuration } from '../lib/go-values.ts'

/** A time for which something is kept, such as `90d` or `12h`, in milliseconds; Infinity for an empty text. */
export function parseKeep(text: string): number | undefined {
  if (text === '') return Infinity
  const [, days] = /^(\d{1,6})d$/.exec(text) ?? []
  const ms = days === undefined ? parseDuration(text) : Number(days) * 86_400_000
  return ms !== undefined && ms > 0 ? ms : undefined
}

const units = ['', 'Ki', 'Mi', 'Gi', 'Ti']

/** A number of bytes, as Kubernetes writes them with powers of two; Infinity for an empty text. */
export function parseSize(text: string): number | undefined {
  if (text === '') return Infinity
  const [, digits, unit = ''] = /^(\d{1,15})(Ki|Mi|Gi|Ti)?$/.exec(text) ?? []
  const bytes = Number(digits) * 1024 ** units.indexOf(unit)
  return bytes > 0 && Number.isSafeInteger(bytes) ? bytes : undefined
}
