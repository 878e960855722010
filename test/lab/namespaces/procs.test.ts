import { expect, test } from 'vitest'
import { argvOf, identify, isAlive, startTime } from './procs.ts'
import { isHolder } from './holder.ts'

test('this process is alive, and one with its number and another start time is not', () => {
  const own = identify(process.pid)
  expect(isAlive(own)).toBe(true)
  expect(isAlive({ ...own, start: '1' })).toBe(false)
  expect(argvOf(process.pid)[0]).toContain('node')
})

test('process 0 does not exist', () => {
  expect(startTime(0)).toBeUndefined()
  expect(() => identify(0)).toThrow('has ended')
})

test('holders are distinguished from processes that only mention them', () => {
  const holder = ['tini', '-s', '--', 'env', 'CULVERT_LAB=lab', 'sleep', 'infinity']
  expect(isHolder(holder, 'lab')).toBe(true)
  expect(isHolder(holder, 'la')).toBe(false)
  expect(isHolder(holder)).toBe(true)
  expect(isHolder(['grep', 'CULVERT_LAB=lab'])).toBe(false)
})
