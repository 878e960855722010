// Says on stderr, when the process ends, which modules it has loaded by `require`.
const { Module } = require('node:module')

const load = Module.prototype.require
const loaded = []
Module.prototype.require = function (name) {
  loaded.push(name)
  return load.call(this, name)
}
process.on('exit', () => process.stderr.write(`loaded ${JSON.stringify(loaded)}\n`))
