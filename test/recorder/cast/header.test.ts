import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseHeader } from '../../../recorder/cast/header.ts'

const nothing = {
  width: 0,
  height: 0,
  timestamp: undefined,
  command: '',
  source: { node: '', id: '', user: '', tags: [] },
  ssh: { user: '', localUser: '', connection: '' },
  kubernetes: undefined,
}

describe('the first line of a recording', () => {
  it('of SSH, as tailscaled writes it', () => {
    const line =
      '{"version":2,"width":120,"height":40,"timestamp":1700000000,"command":"ls \\u003e x","srcNode":"laptop.lab.ts.net","srcNodeID":"nLaptop","srcNodeUserID":30585448562688899,"srcNodeUser":"alice@example.com","env":{"TERM":"xterm"},"sshUser":"root","localUser":"root","connectionID":"ssh-conn-1"}'
    expect(parseHeader(line)).toEqual({
      width: 120,
      height: 40,
      timestamp: 1_700_000_000,
      command: 'ls > x',
      source: { node: 'laptop.lab.ts.net', id: 'nLaptop', user: 'alice@example.com', tags: [] },
      ssh: { user: 'root', localUser: 'root', connection: 'ssh-conn-1' },
      kubernetes: undefined,
    })
  })

  it('of kubectl, as API server proxies write it', () => {
    const line =
      '{"version":2,"width":0,"height":0,"timestamp":1,"srcNode":"ci.lab.ts.net","srcNodeTags":["tag:ci"],"env":null,"sshUser":"","localUser":"","connectionID":"","kubernetes":{"PodName":"web-0","Namespace":"shop","Container":"main","SessionType":"attach"}}'
    expect(parseHeader(line)).toMatchObject({
      source: { tags: ['tag:ci'] },
      kubernetes: { type: 'attach', namespace: 'shop', pod: 'web-0', container: 'main' },
    })
  })

  it('of kubectl, from a time when only commands were recorded', () => {
    expect(parseHeader('{"version":2,"kubernetes":{"PodName":"a"}}').kubernetes?.type).toBe('exec')
  })

  it('fields of other types count as absent', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const fields = ['width', 'height', 'timestamp', 'kubernetes', 'srcNodeTags']
        const odd = typeof value === 'object' || typeof value === 'number' ? 'odd' : value
        const line = JSON.stringify({ version: 2, ...Object.fromEntries(fields.map((name) => [name, odd])) })
        expect(parseHeader(line)).toEqual(nothing)
        const texts = Object.fromEntries(['command', 'srcNode', 'sshUser'].map((name) => [name, [value]]))
        expect(parseHeader(JSON.stringify({ version: 2, ...texts }))).toEqual(nothing)
      }),
    )
  })

  it.each(['', 'x', '[]', 'null', '2', '{"version":"2"}', '{"version":1}', '{"width":1}'])('%j is none', (line) => {
    expect(() => parseHeader(line)).toThrow(/asciicast/)
  })
})
