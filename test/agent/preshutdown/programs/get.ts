// Runs in a host: node get.ts URL
// Prints the answer (JSON, of Reply).
export type Reply = {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

const response = await fetch(process.argv[2] ?? '')
const reply: Reply = {
  status: response.status,
  headers: Object.fromEntries(response.headers),
  body: await response.text(),
}
console.log(JSON.stringify(reply))
