import { join } from 'node:path'
import { mounted, type Reader, readText } from './container.ts'

/** An image that is made from the agent's, and run as it is. */
export const readDockerfile: Reader = (directory, file) => {
  const text = readText(directory, file).replaceAll(/^#.*\n/gm, '')
  const lines = text.replaceAll(/\\\n/g, ' ').split('\n')
  const all = (instruction: string): string[] =>
    lines.flatMap((line) => (line.startsWith(`${instruction} `) ? [line.slice(instruction.length + 1).trim()] : []))
  return {
    env: Object.fromEntries(all('ENV').flatMap(assignments)),
    mounts: [],
    files: Object.assign(
      {},
      ...all('COPY').map((one) => {
        const [source = '', target = ''] = one.split(/\s+/)
        return mounted(join(directory, source), target)
      }),
    ),
    urls: [],
  }
}

/** `NAME=VALUE …`, or the older `NAME VALUE`. */
function assignments(text: string): [name: string, value: string][] {
  const older = /^(\w+)\s+(.*)$/s.exec(text)
  if (older !== null) return [[older[1] ?? '', unquoted(older[2] ?? '')]]
  return Array.from(text.matchAll(/(\w+)=("[^"]*"|'[^']*'|\S*)/g), ([, name = '', value = '']) => [
    name,
    unquoted(value),
  ])
}

const unquoted = (value: string): string => value.replace(/^(["'])(.*)\1$/s, '$2')
