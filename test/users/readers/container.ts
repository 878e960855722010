import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** What an engine gives to the container of the agent's image, as a file asks for it. */
export type Container = {
  readonly env: Readonly<Record<string, string>>
  /** Where something is mounted. */
  readonly mounts: readonly string[]
  /** Contents of what is mounted, by path; undefined for a directory that is empty. */
  readonly files: Readonly<Record<string, string | undefined>>
  /** What health checks and probes ask. */
  readonly urls: readonly string[]
}

/** Reads a container out of a file in `directory`. `name`: the service, container or unit that is meant. */
export type Reader = (directory: string, file: string, name: string) => Container | Promise<Container>

export const readText = (...path: readonly string[]): string => readFileSync(join(...path), 'utf8')

/** What is at `source`, mounted at `target`. Engines make a directory of a source that is not there. */
export function mounted(source: string, target: string): Container['files'] {
  if (!existsSync(source)) return { [target]: undefined }
  if (!statSync(source).isDirectory()) return { [target]: readText(source) }
  const inside = readdirSync(source).map((name) => mounted(join(source, name), join(target, name)))
  return Object.assign({ [target]: undefined }, ...inside)
}

/** `SOURCE:TARGET[:OPTIONS]` of a container engine; paths of the machine that are not beside the file are empty. */
export function volumes(directory: string, all: readonly string[]): Pick<Container, 'mounts' | 'files'> {
  const pairs = all.map((one) => one.split(':')).map(([source = '', target = '']) => ({ source, target }))
  return {
    mounts: pairs.map(({ target }) => target),
    files: Object.assign({}, ...pairs.map(({ source, target }) => mounted(join(directory, source), target))),
  }
}

/** Lines `NAME=VALUE` of a file, as `docker run --env-file` and Podman take them: all behind the `=` is the value. */
export const environmentFile = (text: string): Record<string, string> =>
  Object.fromEntries(
    text
      .split('\n')
      .filter((line) => /^\w+=/.test(line))
      .map(assignment),
  )

/** `NAME=VALUE`. */
export const assignment = (text: string): [name: string, value: string] => [
  text.replace(/=.*/s, ''),
  text.replace(/^[^=]*=/, ''),
]

/** The URLs in a command. */
export const urlsIn = (command: string): string[] => command.match(/https?:\/\/[^\s'"]+/g) ?? []
