import type { Entry } from '../index/entry.ts'
import type { Page } from '../index/search.ts'
import { type Form, listAddress } from './form.ts'
import { html, type Html } from './html.ts'
import { nameOf, table } from './list.ts'
import type { Nodes } from './nodes.ts'
import { length, size, timeTag } from './page.ts'

const states = {
  open: 'It is still going on. What has been recorded so far can be played.',
  cut: 'The recording ends before the session did.',
  unreadable: 'Its first line cannot be read, so it cannot be played.',
  whole: undefined,
} as const

/** What is known of a session or request, as a list of names and values. */
export function facts(entry: Entry, nodes: Nodes): Html {
  const { began, seconds, bytes, kind, who, from, where, command } = entry
  const rows: [string, Html | string | undefined][] = [
    ['Began (UTC)', timeTag(began)],
    ['Length', seconds === undefined ? undefined : length(seconds)],
    ['What', kind],
    ['Who', who && html`<a href="${listAddress(sameKind(entry, { who }))}">${who}</a>`],
    ['From', from],
    ['Node', html`<a href="${listAddress(sameKind(entry, { where: entry.node }))}">${nameOf(entry, nodes)}</a>`],
    ['Where', where],
    ['Command', command && html`<code>${command}</code>`],
    ['Size', entry.state === 'open' ? undefined : size(bytes)],
  ]
  return html`<dl>
    ${rows.map(
      ([name, value]) =>
        value !== undefined &&
        value !== '' &&
        html`<div>
          <dt>${name}</dt>
          <dd>${value}</dd>
        </div> `,
    )}
  </dl>`
}

const sameKind = ({ kind }: Entry, fields: Partial<Form>): Partial<Form> => ({
  ...fields,
  kind: kind === 'request' ? kind : '',
})

/** The requests to API servers that belong to a session: of the same device, at the same node, while it went on. */
export type Beside = { readonly found: Page; readonly form: Partial<Form> }

/** A session, with its player. */
export function sessionPage(entry: Entry, nodes: Nodes, beside: Beside | undefined): Html {
  const { key, state } = entry
  const file = `/file/${key}`
  const note = states[state]
  return html`<h1>${entry.command || entry.kind} <small>by ${entry.who || entry.from || 'somebody'}</small></h1>
    ${note !== undefined && html`<p class="note">${note}</p>`}
    ${state !== 'unreadable' && player(file, state === 'open')}
    <p>
      <a href="${file}" download>Download the recording</a> (asciicast,
      ${state === 'open' ? 'so far' : size(entry.bytes)})
    </p>
    <h2>About it</h2>
    ${facts(entry, nodes)} ${beside && beside.found.entries.length > 0 && requests(beside, nodes)}`
}

const speeds = ['0.5', '1', '2', '4', '8', '16']

const player = (file: string, isOpen: boolean): Html =>
  html`<section aria-label="Player">
    <div id="player" data-file="${file}"></div>
    <p id="status" role="status">Loading …</p>
    <noscript><p class="note">To play it here takes JavaScript; the recording can be downloaded.</p></noscript>
    <p class="controls">
      <label for="speed">Speed</label
      ><select id="speed">
        ${speeds.map((speed) => html`<option value="${speed}" ${speed === '1' ? html` selected` : undefined}>${speed}×</option>`)}
      </select>
      <label><input type="checkbox" id="idle" checked /> Skip pauses of more than two seconds</label>
      ${isOpen && html`<label><input type="checkbox" id="follow" /> Follow the session as it goes on</label>`}
    </p>
    <details id="keys">
      <summary>Keys</summary>
      <p>
        In the player: <kbd>Space</kbd> plays and pauses, <kbd>←</kbd> and <kbd>→</kbd> go 5 seconds back and forth,
        with <kbd>Shift</kbd> a tenth of it, <kbd>0</kbd> to <kbd>9</kbd> go to a tenth of the session, <kbd>,</kbd> and
        <kbd>.</kbd> go by one frame while it pauses, <kbd>f</kbd> fills the screen.
      </p>
    </details>
    <details id="transcript">
      <summary>As text</summary>
      <pre tabindex="0" aria-label="What the session has shown"></pre>
    </details>
  </section>`

const requests = ({ found, form }: Beside, nodes: Nodes): Html =>
  html`<h2>API requests meanwhile</h2>
    <p>
      Those of the same device to the same node.
      <a href="${listAddress(form)}">All ${found.matching.toLocaleString('en')} in the list</a>
    </p>
    ${table('API requests meanwhile', found.entries, nodes)}`
