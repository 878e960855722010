import { html, type Html } from './html.ts'

/** Where the files are that pages need. */
export type Assets = { readonly style: string; readonly play: string }

export type Frame = {
  readonly assets: Assets
  /** Who looks, if that is known. */
  readonly viewer: string | undefined
}

/** A whole page. `script`: the address of its script, if it needs one. */
export function page(
  { assets, viewer }: Frame,
  { title, script }: { readonly title: string; readonly script?: string },
  main: Html,
): string {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="dark light" />
        <title>${title} – recordings</title>
        <link rel="stylesheet" href="${assets.style}" />
        ${script === undefined ? undefined : html`<script src="${script}" defer></script>`}
      </head>
      <body>
        <a class="skip" href="#main">Skip to the content</a>
        <header><a href="/">Recordings</a>${viewer && html`<p>You are ${viewer}</p>`}</header>
        <main id="main" tabindex="-1">${main}</main>
      </body>
    </html> `.text
}

/** A time in UTC, to the second. */
export function timeTag(ms: number): Html {
  const iso = isoOf(ms)
  return html`<time datetime="${iso}">${iso.slice(0, 19).replace('T', ' ')}</time>`
}

/** Times of recordings may be nonsense, which a date cannot have. */
export const isoOf = (ms: number): string => new Date(Number.isFinite(ms) && Math.abs(ms) < 8e15 ? ms : 0).toISOString()

/** Such as `1:02:03`. */
export function length(seconds: number): string {
  const all = Math.round(Math.min(seconds, 1e9))
  const [hours, minutes, rest] = [Math.floor(all / 3600), Math.floor(all / 60) % 60, all % 60]
  const two = (value: number): string => String(value).padStart(2, '0')
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`
}

const units = ['B', 'kB', 'MB', 'GB', 'TB']

/** Such as `1.2 MB`. */
export function size(bytes: number): string {
  const power = Math.min(units.length - 1, bytes < 1000 ? 0 : Math.floor(Math.log10(bytes) / 3))
  return `${Number((bytes / 1000 ** power).toPrecision(3))} ${units[power]}`
}
