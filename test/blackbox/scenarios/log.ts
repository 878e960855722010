import { expect } from 'vitest'
import type { Agent } from '../agent.ts'
import { running } from '../localapi.ts'
import { programs } from '../programs.ts'
import { complete, inMemory, type Scenarios, shortWaits, tailscaled, up, userspace, withKey } from './common.ts'

const start = [tailscaled(inMemory, userspace), up('--accept-dns=false', '--authkey=tskey-key')]
const json = { CULVERT_LOG_FORMAT: 'json' }

type Line = Readonly<Record<string, unknown>>

/** Its lines, all of which must be documents. */
const documents = ({ output }: Agent): Line[] =>
  output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line)

/** A tailscaled that says something, on either of its outputs. */
const talking = programs.tailscaled.replace(
  'wait\n',
  `echo '2026/11/30 09:15:02 magicsock: "disco" is on' >&2
printf '2026/11/30 09:15:02 [unexpected] peer is gone\\n%.0s' 1 2 3
wait
`,
)

/** Talking, and ends by itself. */
const crashing = `${programs.recording}
printf 'panic: no way\\ngoroutine 1 [running]:' >&2
exit 2
`

/** The form of the log, and its level. */
export const log: Scenarios = {
  'in JSON, each line is a document, with tailscaled’s between the agent’s': {
    env: { ...withKey, ...json },
    files: { 'usr/bin/tailscaled': talking },
    phases: [
      {
        runs: start,
        log: /"level":"info","source":"tailscaled","event":"tailscaled.line","msg":"magicsock: \\"disco\\" is on"/,
      },
      { send: running(), log: /"level":"info","source":"agent","event":"agent.complete"/ },
      { log: /peer is gone/ },
      { signal: 'SIGTERM', exit: 0 },
      {
        act: ({ agent }) => {
          const all = documents(agent)
          expect(all[0]).toMatchObject({ source: 'agent', event: 'agent.begins', version: expect.any(String) })
          const gone = all.filter(({ msg }) => msg === '[unexpected] peer is gone')
          expect(gone.map(({ level }) => level)).toEqual(['warn', 'warn', 'warn'])
        },
        exit: 0,
      },
    ],
  },
  'the flag for JSON counts from the first line on': {
    env: withKey,
    args: ['--culvert-log-format=json', '--culvert-log-level=warn'],
    phases: [
      { runs: start },
      // Scripts wait for it, whatever the level.
      complete,
      {
        act: ({ agent }) => {
          const info = documents(agent).filter(({ level }) => level === 'info')
          expect(info.map(({ event }) => event)).toEqual(['agent.complete'])
        },
      },
    ],
  },
  'in JSON, the last words of a tailscaled that crashes are told, too': {
    env: { ...withKey, ...json, ...shortWaits },
    files: { 'usr/bin/tailscaled': crashing },
    phases: [
      {
        runs: Array.from({ length: 11 }, () => tailscaled(inMemory, userspace)),
        exit: 1,
        log: /"level":"error","source":"tailscaled","event":"tailscaled.line","msg":"panic: no way"/,
      },
    ],
  },
  'a form that there is not': {
    env: { CULVERT_LOG_FORMAT: 'xml' },
    phases: [{ exit: 1, log: 'error: CULVERT_LOG_FORMAT="xml" is not valid: text or json is accepted' }],
  },
}
