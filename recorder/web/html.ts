/** HTML that is complete: what was put into it is escaped. */
export class Html {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

type Value = Html | string | number | false | undefined | readonly Value[]

const entities: ReadonlyMap<string, string> = new Map([
  ['&', '&amp;'],
  ['<', '&lt;'],
  ['>', '&gt;'],
  ['"', '&quot;'],
  ["'", '&#39;'],
])

/** What is not shown, or changes how the text around it is shown: control and format characters, but not tabs and line feeds. */
const unseen = /(?![\n\t])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}]/gu

/** A text in which everything can be seen, such as `\u{202e}` for what would turn the text around. */
export const visible = (text: string): string =>
  text.replaceAll(unseen, (one) => `\\u{${one.codePointAt(0)!.toString(16)}}`)

function rendered(value: Value): string {
  if (value === undefined || value === false) return ''
  if (value instanceof Html) return value.text
  if (typeof value === 'object') return value.map(rendered).join('')
  return visible(String(value)).replaceAll(/[&<>"']/g, (one) => entities.get(one)!)
}

/** A piece of HTML. Values are escaped, for text and quoted attributes; those in lists, too. */
export const html = (parts: TemplateStringsArray, ...values: readonly Value[]): Html =>
  new Html(parts.map((part, at) => part + (at < values.length ? rendered(values[at]) : '')).join(''))
