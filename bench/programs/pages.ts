// Runs in a host: node pages.ts PORT BYTES
// Answers each HTTP request with this many bytes, over IPv4.
import { createServer } from 'node:http'

const [port = '', bytes = ''] = process.argv.slice(2)
const page = Buffer.alloc(Number(bytes), 'x')

createServer((_request, response) => response.end(page)).listen(Number(port), '0.0.0.0', () => console.log('ready'))
