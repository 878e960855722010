/** Nothing but our own files, no script within pages, and no page of others around ours. */
const policy = (script: string): string =>
  [
    "default-src 'none'",
    `script-src ${script}`,
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join('; ')

/** Of all answers. What somebody may see is not kept anywhere. */
export const common: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'content-security-policy': policy("'none'"),
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
}

/** Of pages with a player, whose terminal is WebAssembly. */
export const withPlayer = { 'content-security-policy': policy("'self' 'wasm-unsafe-eval'") }

/**
 * Whether a browser asks for the page of another site, and not for somebody who follows a link: the device is all that
 * an answer needs, so any site could have it asked, and learn from how long that takes.
 */
export function isForeign(headers: Readonly<Record<string, string | string[] | undefined>>): boolean {
  const { 'sec-fetch-site': site, 'sec-fetch-mode': mode, 'sec-fetch-dest': dest } = headers
  if (site === undefined || site === 'same-origin' || site === 'none') return false
  return mode !== 'navigate' || dest !== 'document'
}
