import { randomBytes, randomInt } from 'node:crypto'

/** Where events are, beside the folders of the nodes. */
const eventsFolder = 'events'

/** The stable ID of a node as tailscaled has it: a word. What is not one could be a path. */
const goodId = /^[A-Za-z0-9_-]{1,100}$/

/** Whether recordings and events of a node with this ID can be stored. */
export const isNodeId = (id: string): boolean => goodId.test(id) && id !== eventsFolder

/**
 * The key of a recording that a node begins to upload: as the recorder of Tailscale lays them out, by the node that was
 * accessed and the time. Of the nanoseconds, only the first three digits are the time: the others tell apart what begins
 * at once.
 */
export const recordingKey = (id: string, began: Date): string =>
  `${id}/${began.toISOString().slice(0, -1)}${String(randomInt(1_000_000)).padStart(6, '0')}Z.cast`

/** The key of an event. */
export function eventKey(id: string, came: Date): string {
  const text = came.toISOString()
  const day = text.slice(0, 10).replaceAll('-', '/')
  return `${eventsFolder}/${id}/${day}/${text}-${randomBytes(8).toString('hex')}.json`
}

/** Whether a key is one of a recording, by this recorder or another one. */
export const isRecordingKey = (key: string): boolean => {
  const [id = '', name = '', ...more] = key.split('/')
  return more.length === 0 && isNodeId(id) && /^[A-Za-z0-9][\w:.+-]*\.cast$/.test(name)
}

/** Whether a key is one of an event. */
export const isEventKey = (key: string): boolean => {
  const [folder, id = '', ...rest] = key.split('/')
  return folder === eventsFolder && isNodeId(id) && /^\d{4}\/\d\d\/\d\d\/[\w:.-]+\.json$/.test(rest.join('/'))
}

/** The node that has uploaded a recording, and when it began to, as its key says; undefined if the key has no time. */
export function readRecordingKey(key: string): { readonly id: string; readonly began: number | undefined } {
  const [id = '', name = ''] = key.split('/')
  const began = Date.parse(name.replace(/\.cast$/, '').replace(/(\.\d{3})\d+/, '$1'))
  return { id, began: Number.isNaN(began) ? undefined : began }
}

/** The node that has sent an event, and when it came, as its key says; undefined if the key has no time. */
export function readEventKey(key: string): { readonly id: string; readonly came: number | undefined } {
  const [, id = '', , , , name = ''] = key.split('/')
  const came = Date.parse(/^[\d:.T-]+Z/.exec(name)?.[0] ?? '')
  return { id, came: Number.isNaN(came) ? undefined : came }
}
