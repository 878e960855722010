// Runs inside a network namespace: node answers.ts URL. Ends as soon as the URL answers with 200, or with its parent.
// The server is known by its address, so certificates are not verified.
import { request as http } from 'node:http'
import { request as https } from 'node:https'
import { setTimeout as delay } from 'node:timers/promises'

const [url = ''] = process.argv.slice(2)
const request = url.startsWith('https:') ? https : http

function status(): Promise<number | undefined> {
  return new Promise((resolve) => {
    const asking = request(url, { rejectUnauthorized: false, timeout: 10_000, agent: false }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode))
    })
    asking
      .on('timeout', () => asking.destroy())
      .on('error', () => resolve(undefined))
      .end()
  })
}

const starter = process.ppid
while (process.ppid === starter && (await status()) !== 200) await delay(50)
