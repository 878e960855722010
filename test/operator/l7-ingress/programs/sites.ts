// Runs as a separate process: node sites.ts NAME=PORT …
// Answers HTTP on each port with its name and the requested path.
import { createServer } from 'node:http'

const ports = process.argv.slice(2).map((argument) => argument.split('='))
await Promise.all(
  ports.map(
    ([name, port]) =>
      new Promise<void>((resolve) => {
        createServer(({ url }, response) => response.end(`${name} ${url}`)).listen(Number(port), resolve)
      }),
  ),
)
console.log('listening')
