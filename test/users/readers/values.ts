import { type Reader, readText } from './container.ts'
import { readYaml } from './yaml.ts'

type Values = {
  readonly controllers: Readonly<
    Record<
      string,
      { readonly containers: Readonly<Record<string, { readonly env: Readonly<Record<string, unknown>> }>> }
    >
  >
}

/** Values of a Helm chart that has containers by controller, and writes each value of `env` as a text. */
export const readValues: Reader = (directory, file, name) => {
  const all = readYaml<Values>(readText(directory, file), '1.1').flatMap(({ controllers }) =>
    Object.values(controllers),
  )
  const container = all.flatMap(({ containers }) => containers[name] ?? [])[0]
  if (container === undefined) throw new Error(`${file} has no container ${name}`)
  const env = Object.fromEntries(Object.entries(container.env).map(([key, value]) => [key, String(value)]))
  return { env, mounts: [], files: {}, urls: [] }
}
