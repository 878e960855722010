import { isJsonObject, type JsonObject, parseExactJson } from '../../lib/json.ts'
import { textIn, textsIn } from '../cast/header.ts'
import { readEventKey } from '../keys.ts'
import { mostEventBytes } from '../event.ts'
import type { Readable, Stored } from '../store/store.ts'
import { type Entry, own } from './entry.ts'

/** How many requests are found: those before are only in the store. */
export const mostRequests = 100_000

/** Reads an event that is stored; undefined if it is none. */
export const readEvent = async (file: Readable): Promise<unknown> =>
  parseExactJson((await file.read(0, 2 * mostEventBytes)).toString('utf8'))

/** The objects of an event, empty if they are absent or something else. */
export function partsOf(event: unknown) {
  const all = fieldsOf(event)
  return {
    source: fieldsOf(all['source']),
    request: fieldsOf(all['request']),
    kubernetes: fieldsOf(all['kubernetes']),
  }
}

/** What a request is, by its key and by the event that its proxy has sent; `event` is a value of JSON. */
export function requestEntry({ key, bytes, modified }: Stored, event: unknown): Entry {
  const { source, request, kubernetes } = partsOf(event)
  const { id, came } = readEventKey(key)
  const path = ['Namespace', 'Resource', 'Name', 'Subresource'].map((name) => textIn(kubernetes, name))
  return {
    key,
    state: isJsonObject(event) ? 'whole' : 'unreadable',
    kind: 'request',
    began: came ?? modified.getTime(),
    seconds: undefined,
    bytes,
    modified: modified.getTime(),
    node: id,
    from: own(textIn(source, 'node') || textIn(source, 'nodeID')),
    who: own(textIn(source, 'nodeUser') || textsIn(source, 'nodeTags').join(' ')),
    where: own(path.filter(Boolean).join('/')),
    command: own([textIn(request, 'method'), textIn(request, 'path')].filter(Boolean).join(' ')),
  }
}

const fieldsOf = (value: unknown): JsonObject => (isJsonObject(value) ? value : {})
