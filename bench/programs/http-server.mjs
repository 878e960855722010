// Runs inside a host: node http-server.mjs [lean]
// A bare HTTP server: what Node itself costs. Plain JavaScript, since stripping types would cost memory too.
// `import` reads every property of the module, among them getters that load the whole of Node's own fetch and WebSocket;
// `lean` takes the module without that.
const { createServer } = process.argv[2] === 'lean' ? process.getBuiltinModule('node:http') : await import('node:http')

createServer((_request, response) => response.end('ok\n')).listen(0, '127.0.0.1', () => console.log('ready'))
