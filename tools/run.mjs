// Runs one of the project's TypeScript programs under the project's own Node, installing the npm packages first
// when they are absent or out of date. Plain JavaScript without imports from npm: it is all that a bare clone can run.
//   node tools/run.mjs PROGRAM.ts [ARGUMENTS…]
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const modules = join(root, 'node_modules')
const marker = join(modules, '.culvert-installed')
const lock = join(root, 'node_modules.lock')

function fail(message) {
  process.stderr.write(`culvert: ${message}\n`)
  process.exit(1)
}

if (Number.parseInt(process.versions.node, 10) < 20) {
  fail(`Node ${process.versions.node} is too old to install the project; install Node 20 or later`)
}
if (process.platform !== 'linux') {
  fail(`this is ${process.platform}; the project's programs drive Linux namespaces and run on Linux only`)
}

const wanted = createHash('sha256')
  .update(readFileSync(join(root, 'package-lock.json')))
  .update(process.arch)
  .digest('hex')
const installed = () => existsSync(marker) && readFileSync(marker, 'utf8') === wanted
const sleep = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)

const alive = (pid) => existsSync(`/proc/${pid}`)

/** Two programs started at once must not both run `npm ci`, which begins by deleting node_modules. */
function takeInstallLock() {
  for (let told = false; ; sleep(500)) {
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' })
      process.on('exit', () => rmSync(lock, { force: true }))
      return
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
    }
    const holder = existsSync(lock) ? readFileSync(lock, 'utf8') : ''
    if (holder !== '' && !alive(holder)) rmSync(lock, { force: true })
    else if (!told)
      process.stderr.write(`culvert: waiting for process ${holder}, which is installing the npm packages\n`)
    told = true
  }
}

if (!installed()) {
  takeInstallLock()
  if (!installed()) {
    process.stderr.write('culvert: installing npm packages, Node 24 among them (a minute or two the first time)\n')
    const started = Date.now()
    const npm = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
      cwd: root,
      stdio: ['ignore', 2, 2],
    })
    if (npm.error) fail(`npm could not be started (${npm.error.message}); install npm 10 or later`)
    if (npm.status !== 0) fail('`npm ci` failed; its messages are above. Is the npm registry reachable?')
    writeFileSync(marker, wanted)
    process.stderr.write(`culvert: npm packages installed in ${Math.round((Date.now() - started) / 1000)} s\n`)
  }
  rmSync(lock, { force: true })
}

const node = join(modules, `node-linux-${process.arch}`, 'bin', 'node')
if (!existsSync(node))
  fail(`there is no Node 24 for ${process.arch} among the npm packages; x64 and arm64 are supported`)

const [program, ...rest] = process.argv.slice(2)
if (program === undefined) fail('usage: node tools/run.mjs PROGRAM.ts [ARGUMENTS…]')
const child = spawn(node, [join(root, program), ...rest], {
  stdio: 'inherit',
  // The project's own Node comes first, so that programs which look for `node` find the same one.
  env: { ...process.env, PATH: `${dirname(node)}:${join(modules, '.bin')}:${process.env.PATH ?? ''}` },
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
child.on('error', (error) => fail(`could not start ${node}: ${error.message}`))
child.on('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)))
