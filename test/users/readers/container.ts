import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** How a user's file starts the container of the agent's image. */
export type Container = {
  readonly env: Readonly<Record<string, string>>
  /** Mount points. */
  readonly mounts: readonly string[]
  /** Contents of mounted files, by path; undefined for an empty directory. */
  readonly files: Readonly<Record<string, string | undefined>>
  /** URLs of health checks and probes. */
  readonly urls: readonly string[]
}

/** Reads a container from a file in `directory`. `name`: that of the service, container or unit. */
export type Reader = (directory: string, file: string, name: string) => Container | Promise<Container>

export const readText = (...path: readonly string[]): string => readFileSync(join(...path), 'utf8')

/** The files at `source`, mounted at `target`. Engines create a directory if the source does not exist. */
export function mounted(source: string, target: string): Container['files'] {
  if (!existsSync(source)) return { [target]: undefined }
  if (!statSync(source).isDirectory()) return { [target]: readText(source) }
  const inside = readdirSync(source).map((name) => mounted(join(source, name), join(target, name)))
  return Object.assign({ [target]: undefined }, ...inside)
}

/** Volumes as `SOURCE:TARGET[:OPTIONS]`; sources outside of the file's directory are empty. */
export function volumes(directory: string, all: readonly string[]): Pick<Container, 'mounts' | 'files'> {
  const pairs = all.map((one) => one.split(':')).map(([source = '', target = '']) => ({ source, target }))
  return {
    mounts: pairs.map(({ target }) => target),
    files: Object.assign({}, ...pairs.map(({ source, target }) => mounted(join(directory, source), target))),
  }
}

/** Parses a file for `docker run --env-file` and Podman: in `NAME=VALUE`, everything after the `=` is the value. */
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
