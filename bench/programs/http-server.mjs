// Runs inside a host: node http-server.mjs
// A bare HTTP server: what Node itself costs. Plain JavaScript, since stripping types would cost memory too.
import { createServer } from 'node:http'

createServer((_request, response) => response.end('ok\n')).listen(0, '127.0.0.1', () => console.log('ready'))
