import { environmentFile, type Reader, readText, urlsIn, volumes } from './container.ts'

/**
 * A container of `virtualisation.oci-containers`, as far as it is said by literals: texts, lists of them, and files that
 * `pkgs.writeText` makes.
 */
export const readNix: Reader = (directory, file, name) => {
  const text = readText(directory, file).replaceAll(/(?<=^|\s)#.*$/gm, '')
  const written = new Map(
    Array.from(text.matchAll(/(\w+) = pkgs\.writeText "[^"]*" ''(.*?)'';/gs), ([, binding = '', content = '']) => [
      `\${${binding}}`,
      content.replaceAll("''${", '${'),
    ]),
  )
  const from = [`containers."${name}" = {`, `containers.${name} = {`, ` ${name} = {`]
    .map((start) => text.indexOf(start))
    .find((index) => index >= 0)
  if (from === undefined) throw new Error(`${file} has no container ${name}`)
  const container = text.slice(from)
  const list = (key: string): string[] => texts(new RegExp(`${key} = \\[(.*?)\\];`, 's').exec(container)?.[1] ?? '')
  const environment = /environment = \{(.*?)\};/s.exec(container)?.[1] ?? ''
  const made = list('volumes').flatMap((volume) => {
    const [source = '', target = ''] = volume.split(':')
    return written.has(source) ? [[target, written.get(source)]] : []
  })
  const { mounts, files } = volumes(directory, list('volumes'))
  return {
    env: {
      ...Object.assign({}, ...list('environmentFiles').map((one) => environmentFile(readText(directory, one)))),
      ...Object.fromEntries(
        Array.from(environment.matchAll(/(\w+) = "((?:[^"\\]|\\.)*)";/g), ([, key, value]) => [key, value]),
      ),
    },
    mounts,
    files: { ...files, ...Object.fromEntries(made) },
    urls: urlsIn(list('extraOptions').join(' ')),
  }
}

const texts = (list: string): string[] => Array.from(list.matchAll(/"([^"]*)"/g), ([, one = '']) => one)
