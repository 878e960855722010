import { annotations } from '../operator/objects/annotations.ts'
import { variables } from '../operator/settings/variables.ts'

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')

const code = (text: string | undefined): string => (text === undefined ? '' : `\`${text}\``)

/** The text of docs/operator-settings.md, made from the lists of variables and annotations. A test compares the two. */
export function operatorPage(): string {
  const read = variables.flatMap((one) =>
    'ignored' in one ? [] : [[code(one.name), code('default' in one ? one.default : undefined), one.effect]],
  )
  const ignored = variables.flatMap((one) => ('ignored' in one ? [[code(one.name), one.ignored]] : []))
  const rows = Object.values(annotations).map(({ name, on, accepts, meaning }) => [
    code(name),
    on.join(', '),
    accepts,
    meaning,
  ])
  return `# Settings of the operator

What the [operator](operator.md) reads from its environment, and what users write to their objects. This page is generated from \`operator/\` by \`npm run format\`.

## Environment

Names and meanings are those of Tailscale's operator, except for \`CULVERT_…\`, which it does not have. All values that are not valid are named at once, and the operator ends with exit code 1. A misspelt name is a warning in the log.

${table(['variable', 'default', 'effect'], read)}

These have an effect on Tailscale's operator, and none here:

${table(['variable', 'why'], ignored)}

## Annotations

An annotation that is not valid is named in a condition and an Event, and what was there before goes on running. One that has no effect, since it is misspelt or for another use, is an Event \`AnnotationIgnored\`.

${table(['annotation', 'on', 'accepts', 'meaning'], rows)}
`
}
