import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe } from 'vitest'
import { builtPrograms } from '../lab/ready.ts'
import { printLogsOnFailure } from '../lab/vitest.ts'
import { ApiServerBed } from './apiserver-bed.ts'
import { clientNode, type Program, testHelm, testProgram } from './apiserver-clients.ts'
import { testSessions } from './apiserver-sessions.ts'
import { testVerbs } from './apiserver-verbs.ts'

let its: ApiServerBed
beforeAll(async () => {
  its = await ApiServerBed.start()
})
afterAll(() => its[Symbol.asyncDispose]())
beforeEach(() => printLogsOnFailure(its.bed))

const clientGo = async (way: 'websocket' | 'spdy'): Promise<Program> => {
  const { 'client-go': directory } = await builtPrograms('clients')
  return { argv: [join(directory, 'client-go'), 'use'], more: [way] }
}

const python = async (): Promise<Program> => {
  const { 'python-packages': PYTHONPATH } = await builtPrograms('clients')
  return { argv: ['/usr/bin/python3', join(import.meta.dirname, 'programs/client.py')], env: { PYTHONPATH } }
}

// With impersonation, they are part of the other tests.
testSessions(() => its, 'noauth')
testVerbs(() => its, 'noauth')

describe.each(['auth', 'noauth'] as const)('clients other than kubectl', (mode) => {
  testProgram(
    () => its,
    'client-go over WebSocket',
    mode,
    () => clientGo('websocket'),
  )
  testProgram(
    () => its,
    'client-go over SPDY',
    mode,
    () => clientGo('spdy'),
  )
  testProgram(() => its, 'Python’s client', mode, python)
  testProgram(
    () => its,
    '@kubernetes/client-node',
    mode,
    async () => clientNode,
  )
  testHelm(() => its, mode)
})
