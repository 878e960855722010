// Runs in a host: node browse.ts URL; prints a `Browsed` as JSON.
// Opens a page in Debian's headless Chromium.
import { homedir } from 'node:os'
import { Browser } from '../../lab/browser.ts'

/**
 * The JSON that a page left in its `output` element, or the error that the browser shows, such as `net::ERR_FAILED`.
 */
export type Browsed = { readonly output: unknown } | { readonly refused: string }

const [url = ''] = process.argv.slice(2)

async function browse(): Promise<Browsed> {
  await using browser = Browser.start(homedir())
  const page = await browser.page()
  const refused = await page.go(url)
  if (refused !== undefined) return { refused }
  return { output: JSON.parse(await page.until<string>('document.querySelector("output").textContent')) as unknown }
}

console.log(JSON.stringify(await browse()))
