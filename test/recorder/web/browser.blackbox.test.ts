import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Browser, type BrowserPage } from '../../lab/browser.ts'
import { header, output } from '../recorder-bed.ts'
import { WebBed } from './web-bed.ts'

let bed: WebBed
let browser: Browser
let url: string
const home = mkdtempSync(join(tmpdir(), 'culvert-browser-'))
const ending: (() => unknown)[] = []

beforeAll(async () => {
  bed = await WebBed.start()
  const front = await bed.front()
  ;({ url } = front)
  browser = Browser.start(home)
  ending.push(
    () => browser[Symbol.asyncDispose](),
    () => front[Symbol.asyncDispose](),
    () => bed[Symbol.asyncDispose](),
    () => rmSync(home, { recursive: true, force: true }),
  )
})
afterAll(async () => {
  for (const end of ending) await end()
})

const opened = async (path: string): Promise<BrowserPage> => {
  const page = await browser.page()
  await page.go(url + path)
  return page
}
/** What must not happen is that this is set. */
const attack = 'globalThis.attacked=1'

const isReady = 'document.querySelector("#status").textContent.startsWith("Ready")'
const shown = 'document.querySelector(".ap-term-text").textContent'
/** Goes by the keyboard until what has the focus is this. */
const tabTo = async (page: BrowserPage, selector: string): Promise<void> => {
  const isThere = (): Promise<boolean> => page.value(`document.activeElement.matches(${JSON.stringify(selector)})`)
  for (let turn = 0; turn < 60; turn += 1) {
    if (await isThere()) return
    await page.press('Tab')
  }
  throw new Error(`the keyboard does not get to ${selector}`)
}
const setTo = (page: BrowserPage, selector: string, change: string): Promise<unknown> =>
  page.value(`{
    const found = document.querySelector(${JSON.stringify(selector)})
    found.${change}
    found.dispatchEvent(new Event('change', { bubbles: true }))
  }`)

it('a session is found and played by the keyboard alone, at any place and speed, and read as text', async () => {
  const lines = [output(0.1, 'first\r\n'), output(3600, '\u001B[1;31msecond\u001B[0m\r\n'), output(7200, 'third\r\n')]
  await bed.record({ command: 'by keyboard', srcNodeUser: 'zoe@example.com' }, ...lines)
  await bed.record({ command: 'another one' })
  const page = await opened('/')
  await tabTo(page, '#who')
  for (const letter of 'zoe') await page.press(letter)
  await page.press('Enter')
  await page.until('document.querySelectorAll("tbody tr").length === 1')
  await tabTo(page, 'tbody a')
  await page.press('Enter')
  await page.until(isReady)
  // With its pauses, each place is an hour long.
  await setTo(page, '#idle', 'checked = false')
  await tabTo(page, '.ap-playback-button')
  await page.press('Enter')
  await page.until(`${shown}.includes('first')`)
  await page.press('Enter')
  await page.until('document.querySelector(".ap-playback-button[aria-label=Play]")')
  await page.press('7')
  await page.until(`${shown}.includes('second') && !${shown}.includes('third')`)
  await setTo(page, '#speed', 'value = "16"')
  await page.until(`${shown}.includes('second') && !${shown}.includes('third')`)
  await setTo(page, '#idle', 'checked = true')
  await page.until(`!${shown}.includes('second')`)
  await tabTo(page, '.ap-playback-button')
  await page.press('Enter')
  await page.until(`${shown}.includes('third')`)
  await tabTo(page, 'summary')
  await setTo(page, '#transcript', 'open = true')
  expect(await page.until('document.querySelector("#transcript pre").textContent')).toBe('first\nsecond\nthird\n')
  expect(page.problems).toEqual([])
  expect(page.requests.filter((one) => !one.startsWith(`${url}/`))).toEqual([])
})

it('a session that goes on is played up to now, and followed to its end', async () => {
  const upload = await (await bed.recorder.upload()).begun()
  const say = async (text: string): Promise<void> => upload.write(output(1, text))
  await upload.write(header({ command: 'followed' }))
  await say('first\r\n')
  const page = await opened('/?command=followed')
  await page.until('document.querySelector("tbody a") || (location.reload(), false)')
  await page.value('document.querySelector("tbody a").click()')
  await page.until(`${isReady} && document.querySelector("#status").textContent.includes("goes on")`)
  await setTo(page, '#transcript', 'open = true')
  await setTo(page, '#follow', 'checked = true')
  await page.until(`${shown}.includes('first')`)
  await say(`second <script>${attack}</script>\r\n`)
  await page.until(`${shown}.includes('second')`)
  await page.until('document.querySelector("#transcript pre").textContent.includes("second")')
  await say('third\r\n')
  await upload.end()
  await page.until(`${shown}.includes('third')`)
  await page.until('document.querySelector("#status").textContent.includes("has ended")')
  expect(await page.value('globalThis.attacked')).toBeUndefined()
  expect(page.problems).toEqual([])
})

it('what is on the pages has names for those who do not see them', async () => {
  const key = await bed.record({ command: 'for a screen reader' }, output(0.1, 'hello\r\n'))
  const list = await opened('/?command=screen')
  expect(await list.told()).toEqual(
    expect.arrayContaining([
      'link Skip to the content',
      'searchbox Who',
      'searchbox Where',
      'searchbox Command',
      'combobox What',
      'button Search',
      'table What was found: all sessions',
      'columnheader Command',
    ]),
  )
  const session = await opened(`/see/${key}`)
  await session.until(isReady)
  expect(await session.told()).toEqual(
    expect.arrayContaining(['region Player', 'button Play', 'combobox Speed', 'link Download the recording']),
  )
})

it('the pages are dark for who prefers that, and light for others', async () => {
  const page = await opened('/')
  const background = async (scheme: 'light' | 'dark') => {
    await page.look({ scheme })
    const [red = 0] = (await page.value<string>('getComputedStyle(document.body).backgroundColor')).match(/\d+/g) ?? []
    return Number(red)
  }
  expect(await background('light')).toBeGreaterThan(200)
  expect(await background('dark')).toBeLessThan(60)
})

const texts = [
  `<script>${attack}</script>`,
  `"><img src=x onerror=${attack}>`,
  `'onmouseover='${attack}' x='`,
  `</title><svg onload=${attack}>`,
  `javascript:${attack}`,
  '\u202Efdp.exe\u0000\u001B]0;title\u0007',
]

it('a recording that attacks its reader is only text', async () => {
  const all = texts.join(' ')
  const kubernetes = { PodName: all, Namespace: all, Container: all, SessionType: all }
  const fields = {
    command: all,
    srcNode: all,
    srcNodeUser: all,
    title: all,
    theme: { fg: all, bg: all, palette: all },
    kubernetes,
  }
  const key = await bed.record(
    fields,
    ...texts.map((text, at) => output(at / 10, `${text}\r\n`)),
    `${JSON.stringify([0.6, 'm', all])}\n`,
    `${JSON.stringify([0.7, 'r', '99999x99999'])}\n`,
    `${JSON.stringify([0.7, 'o', '\u001B[8;60000;60000t\u001B]8;;javascript:globalThis.attacked=1\u0007link\u001B]8;;\u0007'])}\n`,
    `${JSON.stringify([0.7, 'x', all])}\n`,
    'nonsense\n[1]\n[null,"o","x"]\n[-1,"o","x"]\n[1e999,"o","late"]\n[0,"o",{"a":1}]\n[]\n{}\n',
    output(0.8, 'the end\r\n'),
  )
  await bed.request({
    request: { method: all, path: all, body: Buffer.from(all).toString('base64') },
    kubernetes: { [all]: all },
    source: { node: all, nodeUser: all },
  })
  const isAttacked = 'globalThis.attacked'
  const page = await opened('/')
  expect(await page.value<string>('document.querySelector("tbody").textContent')).toContain('<script>')
  expect(
    await page.value(
      'document.querySelectorAll("tbody *").length - document.querySelectorAll("tbody tr, tbody td, tbody th, tbody a, tbody time, tbody small, tbody br, tbody code, tbody em").length',
    ),
  ).toBe(0)
  expect(await page.value(isAttacked)).toBeUndefined()
  await page.go(`${url}/see/${key}`)
  await page.until(isReady)
  await setTo(page, '#speed', 'value = "16"')
  await page.value('document.querySelector(".ap-playback-button").click()')
  await page.until(`${shown}.includes('the end')`)
  await setTo(page, '#transcript', 'open = true')
  await page.value(
    'document.querySelectorAll("#player *, #transcript *").forEach((one) => one.dispatchEvent(new Event("mouseover")))',
  )
  expect(await page.until('document.querySelector("#transcript pre").textContent')).toContain('the end')
  expect(await page.value('document.querySelectorAll("#player img, #player script, #player a").length')).toBe(0)
  expect(await page.value(isAttacked)).toBeUndefined()
  await page.go(`${url}/?kind=request`)
  await page.go(await page.value('document.querySelector("tbody a").href'))
  expect(await page.value<string>('document.querySelector("main pre").textContent')).toContain('onerror')
  expect(await page.value(isAttacked)).toBeUndefined()
  await page.go(`${url}/?who=${encodeURIComponent(all)}&from=${encodeURIComponent(all)}`)
  expect(await page.value('document.querySelector("#who").value')).toContain('<script>')
  expect(await page.value(isAttacked)).toBeUndefined()
  expect(page.requests.filter((one) => !one.startsWith(`${url}/`))).toEqual([])
  expect(page.problems.filter((one) => one.includes('Content Security Policy'))).toEqual([])
})
