import { join } from 'node:path'
import { assignment, environmentFile, type Reader, readText, urlsIn, volumes } from './container.ts'

/** A unit of Podman. A Secret's value is in the file of its name. */
export const readQuadlet: Reader = (directory, file) => {
  const values = containerSection(readText(directory, file))
  const secrets = values('Secret').map((one) => one.split(','))
  return {
    env: {
      ...Object.assign({}, ...values('EnvironmentFile').map((one) => environmentFile(readText(directory, one)))),
      ...Object.fromEntries(values('Environment').flatMap(words).map(assignment)),
      ...Object.fromEntries(
        secrets.map(([name = '', ...options]) => [
          options.find((option) => option.startsWith('target='))?.slice('target='.length) ?? name,
          readText(join(directory, name)).trim(),
        ]),
      ),
    },
    ...volumes(directory, values('Volume')),
    urls: values('HealthCmd').flatMap(urlsIn),
  }
}

/** The values of each key of the section [Container]; a backslash at the end of a line continues it. */
function containerSection(text: string): (key: string) => string[] {
  const section = /^\[Container\]\n(.*?)(?=^\[|(?![^]))/ms.exec(text)?.[1]
  if (section === undefined) throw new Error('there is no [Container]')
  const lines = section.replaceAll(/\\\n\s*/g, '').split('\n')
  return (key) => lines.filter((line) => line.startsWith(`${key}=`)).map((line) => line.slice(key.length + 1))
}

/** As systemd splits them: quotes may be around a whole word, and are taken away. */
const words = (text: string): string[] =>
  Array.from(text.matchAll(/"([^"]*)"|'([^']*)'|\S+/g), ([word, double, single]) => double ?? single ?? word)
