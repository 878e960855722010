import type { Entry } from '../index/entry.ts'
import { type Place, type Query, wordsOf } from '../index/search.ts'

/** What can be looked for, by the names of the page's fields: sessions of one kind or of any, or requests. */
export const kinds: ReadonlyMap<string, { readonly label: string; readonly kind: Entry['kind'] | undefined }> = new Map(
  [
    ['', { label: 'all sessions', kind: undefined }],
    ['ssh', { label: 'SSH', kind: 'ssh' }],
    ['exec', { label: 'kubectl exec', kind: 'exec' }],
    ['attach', { label: 'kubectl attach', kind: 'attach' }],
    ['other', { label: 'other sessions', kind: 'other' }],
    ['request', { label: 'API requests', kind: 'request' }],
  ],
)

/** More words than anybody looks for at once: all recordings are searched for each. */
const mostWords = 20

const texts = ['who', 'where', 'command', 'kind', 'from', 'to'] as const

/** What was entered, as it was entered. */
export type Form = Readonly<Record<(typeof texts)[number], string>>

export type Asked = {
  readonly form: Form
  readonly query: Query
  /** What is wrong, for the reader; such fields are left out of the query. */
  readonly problems: readonly string[]
}

/** Reads what is asked for, from what follows the `?`. */
export function readForm(all: URLSearchParams): Asked {
  const problems: string[] = []
  const [who, where, command, kind, from, to] = texts.map((name) => (all.get(name) ?? '').trim())
  const form = { who: who!, where: where!, command: command!, kind: kind!, from: from!, to: to! }
  const words = (name: 'who' | 'where' | 'command'): string => {
    if (wordsOf(form[name]).length <= mostWords) return form[name]
    problems.push(`more than ${mostWords} words in one field are not looked for`)
    return ''
  }
  const time = (name: 'from' | 'to'): number | undefined => {
    if (form[name] === '') return undefined
    const found = readTime(form[name])
    if (found === undefined) problems.push(`“${form[name]}” is no time such as 2026-11-30T12:00`)
    return found
  }
  if (!kinds.has(form.kind)) problems.push(`“${form.kind}” is nothing that is recorded`)
  const place = all.get('after') ?? ''
  const after = readPlace(place)
  if (place !== '' && after === undefined) problems.push('the page after which to go on is none')
  const query = {
    who: words('who'),
    where: words('where'),
    command: words('command'),
    kind: kinds.get(form.kind)?.kind,
    since: time('from'),
    until: time('to'),
    after,
  }
  return { form, query, problems }
}

/** A day or a time in UTC, as browsers write it; milliseconds since 1970. */
function readTime(text: string): number | undefined {
  if (!/^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?)?$/.test(text)) return undefined
  const time = Date.parse(`${text.replace(' ', 'T').padEnd(16, 'T00:00')}Z`)
  return Number.isNaN(time) ? undefined : time
}

const placeText = ({ began, key }: Place): string => `${began}~${key}`

function readPlace(text: string): Place | undefined {
  const [, began, key] = /^(-?\d{1,15}(?:\.\d{1,6})?)~(.{1,300})$/.exec(text) ?? []
  return key === undefined ? undefined : { began: Number(began), key }
}

/** The address of a list. Empty fields are left out. */
export function listAddress(fields: Partial<Form>, after?: Place): string {
  const all = new URLSearchParams(Object.entries(fields).filter(([, value]) => value !== ''))
  if (after) all.set('after', placeText(after))
  return all.size === 0 ? '/' : `/?${all.toString()}`
}
