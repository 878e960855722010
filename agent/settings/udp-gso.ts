import { type EnvReader, refusal } from './env-reader.ts'
import type { Rule } from './rule.ts'

const words = ['auto', 'on', 'off'] as const
/** Whether tailscaled may use UDP segmentation offload; `auto`: unless this kernel is known to break it. */
export type UdpGso = (typeof words)[number]

const name = 'CULVERT_UDP_GSO'

export const readUdpGso = ({ text }: EnvReader): UdpGso => words.find((word) => word === text(name)) ?? 'auto'

export const udpGsoRule: Rule = {
  rule: `\`${name}\` is \`auto\`, \`on\` or \`off\``,
  check: ({ text }) => {
    if (!words.some((word) => word === text(name))) throw refusal(name, text(name), 'auto, on or off is accepted')
  },
}
