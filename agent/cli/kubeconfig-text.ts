import { CulvertError } from '../../lib/errors.ts'
import { quote } from '../../lib/quote.ts'
import type * as Yaml from './yaml.ts'

const { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, Scalar, YAMLMap, YAMLSeq } =
  await import('./yaml.ts')

/** The lists of a kubeconfig, and the field of their items beside `name`. */
const sections = { clusters: 'cluster', users: 'user', contexts: 'context' } as const
export type Section = keyof typeof sections

/** Values of YAML are text, since they are written as they were read; those of JSON are what they are. */
export type Fields = Readonly<Record<string, unknown>>

/** One file of a kubeconfig, which is changed in memory. */
export type Kubeconfig = {
  readonly path: string
  readonly has: (section: Section, name: string) => boolean
  readonly get: (section: Section, name: string) => Fields | undefined
  /** The current context; empty if there is none. */
  readonly current: string
  readonly put: (section: Section, name: string, fields: Fields) => void
  readonly setCurrent: (name: string) => void
  /** With all comments and unknown fields, in the file's own indentation. */
  readonly text: () => string
}

/**
 * Reads a kubeconfig in YAML or JSON; an empty text is an empty one.
 * @throws CulvertError `kubeconfig` for what kubectl could not read either, and what a change could damage. It has no
 * value of the file, since that may be a secret.
 */
export function readKubeconfig(path: string, text: string): Kubeconfig {
  const json = isJson(text)
  const lines = new LineCounter()
  const document: Yaml.Document = parseDocument(text, {
    // Without types, so that 0123 and "no" stay what they are.
    schema: json ? 'json' : 'failsafe',
    lineCounter: lines,
    // Otherwise messages would quote the file.
    prettyErrors: false,
    logLevel: 'error',
  })
  const [error] = document.errors
  if (error !== undefined) {
    const what = error.code.toLowerCase().replaceAll('_', ' ')
    throw refused(path, `line ${lines.linePos(error.pos[0]).line} is not valid: ${what}`)
  }
  try {
    document.toJS()
  } catch {
    // Its message has the name.
    throw refused(path, 'an alias in it cannot be followed')
  }
  const items = itemsOf(path, document)
  return {
    path,
    has: (section, name) => items[section].has(name),
    get: (section, name) => items[section].get(name),
    current: textOf(valueOf(document, 'current-context')),
    put: (section, name, fields) => put(document, section, name, fields, [...items[section].keys()].indexOf(name)),
    setCurrent: (name) => document.set('current-context', scalar(name)),
    text: () => (json ? jsonOf(document, text) : document.toString(styleOf(document, lines))),
  }
}

const refused = (path: string, what: string): CulvertError =>
  new CulvertError('kubeconfig', `${path} is no kubeconfig that can be changed: ${what}`, {
    remedy: 'Nothing was changed: correct the file, or choose another one by --kubeconfig=FILE.',
  })

function isJson(text: string): boolean {
  if (!text.trimStart().startsWith('{')) return false
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** Checks all that is used, and gives the items of each list by name, in their order. */
function itemsOf(path: string, document: Yaml.Document): Record<Section, Map<string, Fields>> {
  // A file of comments has no content.
  if (isNothing(document.contents)) document.contents = document.createNode({ apiVersion: 'v1', kind: 'Config' })
  if (!isMap(document.contents)) throw refused(path, 'it is not a mapping of fields')
  for (const [field, expected] of [['apiVersion', 'v1'] as const, ['kind', 'Config'] as const]) {
    const value = textOf(valueOf(document, field))
    if (value !== '' && value !== expected) throw refused(path, `${field} is not ${expected}`)
  }
  const read = (section: Section): Map<string, Fields> => {
    const list = document.get(section, true)
    if (isNothing(list)) return new Map()
    if (!isSeq(list)) throw refused(path, `${section} is not a list`)
    const found = new Map<string, Fields>()
    for (const [index, item] of list.items.entries()) {
      const where = `${section}[${index}]`
      if (isAlias(item) || !isMap(item)) throw refused(path, `${where} is not a mapping with a name`)
      const { name, [sections[section]]: fields }: Fields = plain(item, document)
      if (typeof name !== 'string' || name === '') throw refused(path, `${where} has no name`)
      if (found.has(name)) throw refused(path, `${section} has the name ${quote(name)} twice`)
      found.set(name, isFields(fields) ? fields : {})
    }
    return found
  }
  return { clusters: read('clusters'), users: read('users'), contexts: read('contexts') }
}

function plain(map: Yaml.YAMLMap, document: Yaml.Document): Fields {
  const value: unknown = map.toJS(document)
  return isFields(value) ? value : {}
}

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const valueOf = (document: Yaml.Document, field: string): unknown => {
  const node = document.get(field, true)
  return isNothing(node) ? '' : isScalar(node) ? node.value : undefined
}
const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')

/** Absent, empty or null, which is a text without types. */
const isNothing = (node: unknown): boolean =>
  node === undefined ||
  node === null ||
  (isScalar(node) && (node.value === null || (node.type === 'PLAIN' && nulls.has(node.value))))
const nulls = new Set<unknown>(['', '~', 'null', 'Null', 'NULL'])

function put(document: Yaml.Document, section: Section, name: string, fields: Fields, index: number): void {
  const key = sections[section]
  const values = new YAMLMap()
  for (const [field, value] of Object.entries(fields))
    values.set(field, typeof value === 'string' ? scalar(value) : value)
  const list = document.get(section, true)
  if (index >= 0 && isSeq(list)) {
    document.setIn([section, index, key], values)
    return
  }
  const item = new YAMLMap()
  item.set(key, values)
  item.set('name', scalar(name))
  const items = isSeq(list) ? list : new YAMLSeq()
  // As kubectl writes an empty list: [].
  if (items.items.length === 0) items.flow = false
  items.add(item)
  document.set(section, items)
}

/** In quotes unless no version of YAML could take it for anything but text. */
function scalar(text: string): Yaml.Scalar {
  const node = new Scalar(text)
  const isPlain = /^[a-z][\w.@/-]{2,}$|^https:/i.test(text) && !/^(?:yes|true|false|null|off)$/i.test(text)
  node.type = isPlain ? Scalar.PLAIN : Scalar.QUOTE_DOUBLE
  return node
}

/** Lists as the first one is written; in a new file, as kubectl writes them. */
function styleOf(document: Yaml.Document, lines: Yaml.LineCounter) {
  const contents = document.contents
  const lists = isMap(contents) ? contents.items.map(({ value }) => value).filter(isSeq) : []
  const begin = lists.find(({ flow, range }) => flow !== true && range)?.range?.[0]
  const column = begin === undefined ? 1 : lines.linePos(begin).col
  return { lineWidth: 0, flowCollectionPadding: false, indentSeq: column > 1, indent: Math.max(column - 1, 2) }
}

function jsonOf(document: Yaml.Document, text: string): string {
  const indent = /^\{\r?\n([ \t]+)/.exec(text.trimStart())?.[1]
  return `${JSON.stringify(document.toJS(), null, indent)}\n`
}
