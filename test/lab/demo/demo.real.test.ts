import { execa } from 'execa'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { isHolder } from '../namespaces/holder.ts'
import { allPids, argvOf } from '../namespaces/procs.ts'
import { pathsOf } from '../namespaces/record.ts'

const demo = (name: string, ...args: string[]) =>
  execa(process.execPath, [join(import.meta.dirname, '../demo.ts'), '--name', name, ...args], {
    reject: false,
    all: true,
  })

const lab = (...args: string[]) =>
  execa(process.execPath, [join(import.meta.dirname, '../main.ts'), ...args], { reject: false })

function isGone(name: string): boolean {
  return !existsSync(pathsOf(name).top) && !allPids().some((pid) => isHolder(argvOf(pid), name))
}

test('all four ways are reached through the agent, and nothing is left', async () => {
  const name = `demo-a-${process.pid}`
  const { exitCode, stdout, stderr } = await demo(name)
  expect(stderr).toMatch(/^\[1\/\d+\] bundle the agent: done in /m)
  for (const way of ['TCP IPv4', 'TCP IPv6', 'UDP IPv4', 'UDP IPv6']) {
    const message = `hello by ${way.replace(' ', ' over ')}`
    expect(stdout).toMatch(
      new RegExp(`^${way} +backend through \\S+ +"${message}" +(10\\.98\\.0|fd98:)\\S+ port \\d+ +[\\d.]+ ms$`, 'm'),
    )
  }
  expect(stdout).toContain('4 of 4 ways reached')
  expect(exitCode).toBe(0)
  expect(isGone(name)).toBe(true)
})

test('in a cluster the operator makes proxies for everything that asks for one, and nothing is left', async () => {
  const name = `demo-d-${process.pid}`
  const { exitCode, stdout } = await demo(name, '--cluster')
  for (const way of ['TCP IPv4', 'TCP IPv6', 'UDP IPv4', 'UDP IPv6']) {
    const message = `hello by ${way.replace(' ', ' over ')}`
    expect(stdout).toMatch(
      new RegExp(`^${way} +backend through \\S+ +"${message}" +(10\\.88\\.1|fd88:)\\S+ port \\d+ +[\\d.]+ ms$`, 'm'),
    )
  }
  expect(stdout).toMatch(/^HTTPS, Ingress +wiki through wiki\.lab\.ts\.net +its page +[\d.]+ ms$/m)
  expect(stdout).toMatch(
    /^TCP, egress +warehouse through warehouse\.default +"hello from the cluster" +(100\.|fd7a:)\S+ /m,
  )
  expect(stdout).toMatch(/^TCP, Connector +backend through 10\.88\.1\.\d+ +"hello by a route" +10\.88\.1\./m)
  expect(stdout).toContain('7 of 7 ways reached')
  expect(exitCode).toBe(0)
  expect(isGone(name)).toBe(true)
})

test('Ctrl-C takes it down', async () => {
  const name = `demo-b-${process.pid}`
  const running = demo(name)
  let told = ''
  await new Promise<void>((resolve) => {
    running.all.on('data', (chunk: Buffer) => {
      told += chunk.toString()
      if (told.includes('start a backend')) resolve()
    })
  })
  running.kill('SIGINT')
  expect((await running).exitCode).toBe(130)
  expect(isGone(name)).toBe(true)
})

test('--keep leaves it up, with the agent in it, and shows commands to look around', async () => {
  const name = `demo-c-${process.pid}`
  const { exitCode, stdout } = await demo(name, '--keep')
  expect(exitCode).toBe(0)
  expect(stdout).toContain(`npm run lab -- status --name ${name}`)
  expect(await lab('status', '--name', name)).toMatchObject({ exitCode: 0 })
  const rules = await lab('exec', '--name', name, 'proxy', '--', 'nft', 'list', 'ruleset')
  expect(rules.stdout).toContain('10.98.0.11')
  await lab('down', '--name', name)
  expect(isGone(name)).toBe(true)
})
