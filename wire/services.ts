import { isUtf8 } from 'node:buffer'
import { isDeepStrictEqual } from 'node:util'
import { CulvertError, describe } from '../lib/errors.ts'
import { quote, visible } from '../lib/quote.ts'
import { type Claim, findConflicts } from './claims.ts'
import { type JsonCursor, Refusal } from './json-cursor.ts'
import type { Rejection } from './rejection.ts'

/** The content of a document of services by name. */
export type Services<Service> = {
  readonly services: ReadonlyMap<string, Service>
  readonly rejections: readonly Rejection[]
}

/** How one kind of service is read. */
export type Kind<Service> = {
  /**
   * Reads an entry. `report` takes what is wrong with a field that traffic does not depend on.
   * @throws Refusal
   */
  readonly read: (name: string, cursor: JsonCursor, report: (refusal: Refusal) => void, before?: Service) => Service
  /** Claims that no other service may have. */
  readonly claims: (service: Service) => readonly Claim[]
}

/**
 * Reads a document each of whose entries stands for itself: one that cannot be used is as it was `before`, or is left
 * out, and costs the others nothing. One that says what it said before is the same object, so that what was made of it
 * still is. Services are in the order of their names.
 * @throws CulvertError `settings` when the document as a whole is no JSON object
 */
export function parseServices<Service>(
  bytes: Buffer,
  { read, claims }: Kind<Service>,
  before: ReadonlyMap<string, Service> = new Map(),
): Services<Service> {
  const rejections: Rejection[] = []
  const wanted = new Map<string, Service>()
  const kept = new Map<string, Service>()
  const reject = (name: string, { field, message }: Refusal): void => {
    rejections.push({ entry: isName(name) ? name : quote(name), field, reason: message })
  }
  const keep = (name: string): void => {
    const service = before.get(name)
    if (service !== undefined) kept.set(name, service)
  }
  for (const [name, value] of inOrder(Object.entries(readObject(bytes)))) {
    try {
      if (!isName(name)) throw new Refusal('', 'its name is not 1 to 253 visible ASCII characters')
      const former = before.get(name)
      const service = read(name, { value, path: '' }, (refusal) => reject(name, refusal), former)
      refuseTwice(claims(service))
      wanted.set(name, isDeepStrictEqual(service, former) ? former! : service)
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      reject(name, error)
      keep(name)
    }
  }
  const claimsOf = (services: ReadonlyMap<string, Service>) =>
    new Map([...services].map(([name, service]) => [name, claims(service)]))
  const conflicts = findConflicts({ wanted: claimsOf(wanted), before: claimsOf(before), kept: kept.keys() })
  for (const [name, { claim, owner }] of conflicts) {
    reject(name, new Refusal(claim.field, `${claim.what} belongs to ${owner}`))
    wanted.delete(name)
    keep(name)
  }
  return {
    services: new Map(inOrder([...wanted, ...kept])),
    rejections: rejections.toSorted((a, b) => compare(a.entry, b.entry)),
  }
}

/** Such a name needs no escaping in logs, and has as many bytes as characters. */
const isName = (text: string): boolean => /^[!-~]{1,253}$/.test(text)

const compare = (a: string, b: string): number => Number(a > b) - Number(a < b)
const inOrder = <T>(entries: [string, T][]): [string, T][] => entries.toSorted(([a], [b]) => compare(a, b))

function refuseTwice(claims: readonly Claim[]): void {
  const seen = new Set<string>()
  for (const { what, field } of claims) {
    if (seen.has(what)) throw new Refusal(field, `${what} is there twice`)
    seen.add(what)
  }
}

/** @throws CulvertError `settings` when the document is no JSON object */
export function readObject(bytes: Buffer): object {
  if (!isUtf8(bytes)) throw new CulvertError('settings', 'it is not UTF-8')
  const text = bytes.toString('utf8')
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    const why = /^\s*\/[/*]/m.test(text) ? 'which has no comments' : 'perhaps only half written'
    throw new CulvertError('settings', `it is not JSON, ${why}: ${visible(describe(cause))}`)
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  throw new CulvertError('settings', 'it is not a JSON object')
}
