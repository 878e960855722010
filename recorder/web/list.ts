import type { Entry } from '../index/entry.ts'
import type { Page } from '../index/search.ts'
import { type Form, kinds, listAddress } from './form.ts'
import { html, type Html } from './html.ts'
import type { Nodes } from './nodes.ts'
import { length, timeTag } from './page.ts'

/** What a list shows: sessions, or requests. */
export type Listed = {
  readonly form: Form
  readonly problems: readonly string[]
  readonly found: Page
  /** Whether there are newer ones on the pages before. */
  readonly hasNewer: boolean
  /** Whether everything has been read since the recorder has started. */
  readonly isComplete: boolean
  readonly nodes: Nodes
}

/** The form to search, and what was found. */
export function listPage({ form, problems, found, hasNewer, isComplete, nodes }: Listed): Html {
  const last = found.entries.at(-1)
  const what = kinds.get(form.kind)?.label ?? 'all sessions'
  return html`<h1>Recordings</h1>
    ${searchForm(form)} ${problems.map((problem) => html`<p role="alert">${problem}</p>`)}
    <p role="status">${found.matching.toLocaleString('en')} found: ${what}, newest first</p>
    ${!isComplete && html`<p class="note">What is stored is still being read, so there may be more.</p>`}
    ${found.entries.length > 0 && table(`What was found: ${what}`, found.entries, nodes)}
    <nav aria-label="Pages">
      ${hasNewer && html`<a href="${listAddress(form)}">Newest</a>`}
      ${found.hasMore && last ? html`<a rel="next" href="${listAddress(form, last)}">Older</a>` : undefined}
    </nav>`
}

const text = (form: Form, name: 'who' | 'where' | 'command', label: string, hint: string): Html =>
  html`<p>
    <label for="${name}">${label}</label
    ><input id="${name}" name="${name}" type="search" value="${form[name]}" placeholder="${hint}" autocomplete="off" />
  </p>`

const time = (form: Form, name: 'from' | 'to', label: string): Html =>
  html`<p>
    <label for="${name}">${label}</label
    ><input id="${name}" name="${name}" type="datetime-local" value="${form[name]}" />
  </p>`

const searchForm = (form: Form): Html =>
  html`<form role="search" action="/" method="get">
    ${text(form, 'who', 'Who', 'person, tag or device')} ${text(form, 'where', 'Where', 'node, user, namespace, Pod')}
    ${text(form, 'command', 'Command', 'words of it')} ${time(form, 'from', 'From (UTC)')}
    ${time(form, 'to', 'Until (UTC)')}
    <p>
      <label for="kind">What</label
      ><select id="kind" name="kind">
        ${[...kinds].map(
          ([value, { label }]) =>
            html`<option value="${value}" ${value === form.kind ? html` selected` : undefined}>${label}</option>`,
        )}
      </select>
    </p>
    <p><button>Search</button></p>
  </form>`

/** A table of sessions or of requests. */
export const table = (caption: string, entries: readonly Entry[], nodes: Nodes): Html =>
  html`<div class="wide" role="region" aria-label="${caption}" tabindex="0">
    <table>
      <caption>
        ${caption}
      </caption>
      <thead>
        <tr>
          <th scope="col">Began (UTC)</th>
          <th scope="col">Length</th>
          <th scope="col">What</th>
          <th scope="col">Who</th>
          <th scope="col">Where</th>
          <th scope="col">Command</th>
        </tr>
      </thead>
      <tbody>
        ${entries.map((entry) => row(entry, nodes))}
      </tbody>
    </table>
  </div>`

const row = (entry: Entry, nodes: Nodes): Html =>
  html`<tr>
    <th scope="row"><a href="/see/${entry.key}">${timeTag(entry.began)}</a></th>
    <td>${lengthOf(entry)}</td>
    <td>${entry.kind}</td>
    <td>${entry.who}<br /><small>${entry.from}</small></td>
    <td>${entry.where}<br /><small>${nameOf(entry, nodes)}</small></td>
    <td><code>${entry.command}</code></td>
  </tr> `

export const nameOf = ({ node }: Pick<Entry, 'node'>, nodes: Nodes): string => nodes.get(node)?.name || node

function lengthOf({ state, seconds, kind }: Entry): Html {
  const note = { open: 'going on', cut: 'cut off', unreadable: 'unreadable', whole: '' }[state]
  const shown = seconds === undefined || kind === 'request' ? '' : length(seconds)
  return html`${shown}${note && html` <em>${note}</em>`}`
}
