import type { JsonObject } from '../../lib/json.ts'
import { textIn } from '../cast/header.ts'
import type { Entry } from '../index/entry.ts'
import { partsOf } from '../index/request.ts'
import { html, type Html } from './html.ts'
import type { Nodes } from './nodes.ts'
import { facts } from './session.ts'

/** The most of a text that a page shows, in characters. */
const mostText = 100_000

/** A request to an API server, by the event that its proxy has sent; `event` is a value of JSON. */
export function requestPage(entry: Entry, nodes: Nodes, event: unknown): Html {
  const { request, kubernetes } = partsOf(event)
  const body = Buffer.from(textIn(request, 'body'), 'base64').toString('utf8')
  return html`<h1>${entry.command || 'request'} <small>by ${entry.who || entry.from || 'somebody'}</small></h1>
    ${facts(entry, nodes)}
    <p><a href="/file/${entry.key}" download>Download the event</a></p>
    <h2>What it is to Kubernetes</h2>
    ${texts(kubernetes)}
    <h2>Its body</h2>
    ${body === '' ? html`<p>It has none.</p>` : html`<pre tabindex="0" aria-label="The body of the request">${short(body)}</pre>`}`
}

const short = (text: string): string => (text.length > mostText ? `${text.slice(0, mostText)}…` : text)

/** The texts of an object that are not empty. */
const texts = (object: JsonObject): Html =>
  html`<dl>
    ${Object.keys(object)
      .slice(0, 50)
      .map((name) => [name, textIn(object, name)] as const)
      .map(
        ([name, text]) =>
          text !== '' &&
          html`<div>
            <dt>${name.slice(0, 100)}</dt>
            <dd>${short(text)}</dd>
          </div> `,
      )}
  </dl>`
