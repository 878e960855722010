// Runs in a host: node watch.ts URL COMMAND; prints a `Watched` as JSON.
// Finds a session on the web page of a recorder, in Debian's headless Chromium, and plays it.
import { homedir } from 'node:os'
import { Browser } from '../../lab/browser.ts'

/** What somebody has seen who has looked for a session; or what the page, or the browser, says in place of it. */
export type Watched =
  | { readonly refused: string }
  | { readonly viewer: string; readonly row: string; readonly shown: string; readonly problems: readonly string[] }

const [url = '', command = ''] = process.argv.slice(2)

async function watch(): Promise<Watched> {
  await using browser = Browser.start(homedir())
  const page = await browser.page()
  const failed = await page.go(`${url}/?${new URLSearchParams({ command }).toString()}`)
  if (failed !== undefined) return { refused: failed }
  if (!(await page.value<boolean>('document.querySelector("tbody tr") !== null')))
    return { refused: await page.value('document.querySelector("main").textContent') }
  const viewer = await page.value<string>('document.querySelector("header p").textContent')
  const row = await page.value<string>('document.querySelector("tbody tr").textContent')
  await page.value('document.querySelector("tbody a").click()')
  await page.until('document.querySelector("#status").textContent.startsWith("Ready")')
  await page.value('document.querySelector(".ap-playback-button").click()')
  const shown = await page.until<string>('document.querySelector(".ap-term-text").textContent.trim()')
  return { viewer, row, shown, problems: page.problems }
}

console.log(JSON.stringify(await watch()))
