import { describe, expect, it } from 'vitest'
import { readSettings } from '../../../agent/settings/read.ts'
import { rangeText } from '../../../netfilter/port-ranges.ts'

const read = (ports: string) =>
  readSettings({ TS_USERSPACE: 'false', TS_DEST_IP: '10.0.0.9', CULVERT_DEST_PORTS: ports }).settings.targetPorts
const texts = (ports: string): string[] | undefined => read(ports)?.map(rangeText)

describe('reads', () => {
  it.each([
    ['one port', 'tcp/80', ['tcp/80']],
    ['ports in order, of each protocol', 'udp/53,tcp/443, tcp/80 ', ['tcp/80', 'tcp/443', 'udp/53']],
    ['another port of the backend', 'tcp/8080:80', ['tcp/8080:80']],
    ['the same port of the backend', 'tcp/80:80', ['tcp/80']],
    ['a range', 'udp/8000-8010', ['udp/8000-8010']],
    ['a range of one port', 'tcp/80-80', ['tcp/80']],
    ['adjacent ranges', 'tcp/80-90,tcp/91-100', ['tcp/80-90', 'tcp/91-100']],
    ['the same port of both protocols', 'tcp/53,udp/53', ['tcp/53', 'udp/53']],
    ['all ports', 'tcp/1-65535', ['tcp/1-65535']],
    ['a protocol in capitals', 'TCP/80', ['tcp/80']],
    ['nothing, which means everything', '', undefined],
  ])('%s', (_what, value, expected) => {
    expect(texts(value)).toEqual(expected)
  })

  it('5,000 ports', () => {
    const ports = Array.from({ length: 5000 }, (_, index) => `tcp/${10_000 + 2 * index}`)
    expect(texts(ports.toReversed().join(','))).toEqual(ports)
  })
})

describe('refuses', () => {
  it.each([
    ['port 0', 'tcp/0', /"tcp\/0" has a port that is not from 1 to 65535/],
    ['a port that is too large', 'udp/65536', /"udp\/65536" has a port that is not from 1 to 65535/],
    ['a range beyond the last port', 'tcp/65000-70000', /not from 1 to 65535/],
    ['port 0 of the backend', 'tcp/80:0', /not from 1 to 65535/],
    ['a reversed range', 'tcp/90-80', /"tcp\/90-80" ends before it begins: write tcp\/80-90/],
    ['a port twice', 'tcp/80,udp/80, tcp/80', /tcp\/80 is in it twice/],
    ['overlapping ranges', 'tcp/85-95,tcp/80-90', /tcp\/80-90 and tcp\/85-95 have ports in common/],
    ['a port within a range', 'tcp/8005:1,tcp/8000-8010', /tcp\/8000-8010 and tcp\/8005:1 have ports in common/],
    ['a port with two targets', 'tcp/80:1,tcp/80:2', /tcp\/80:1 and tcp\/80:2 have ports in common/],
    ['an unknown protocol', 'sctp/80', /"sctp\/80" has a protocol other than tcp and udp/],
    ['no protocol', '80', /"80" does not begin with tcp\/ or udp\//],
    ['another form', '80/tcp', /"80\/tcp" does not begin with tcp\/ or udp\//],
    ['a space as separator', 'tcp/80 udp/53', /"tcp\/80 udp\/53" has no port or range of ports after the slash/],
    ['a name of a port', 'tcp/http', /"tcp\/http" has no port or range/],
    ['a range to other ports', 'tcp/80-90:180-190', /list each of them/],
    ['a range to one port', 'tcp/80-90:80', /list each of them/],
    ['a port to a range', 'tcp/80:80-90', /leads one port to several: write one/],
    ['an empty item', 'tcp/80,,udp/53', /there is nothing before, between or after some of its commas/],
    ['a comma at the end', 'tcp/80,', /there is nothing before, between or after/],
    ['only spaces', '  ', /there is nothing/],
  ])('%s, and says what is accepted', (_what, value, expected) => {
    expect(() => read(value)).toThrow(expected)
    expect(() => read(value)).toThrow(
      /^CULVERT_DEST_PORTS=".*" is not valid: .*; items such as tcp\/80, .* are accepted$/,
    )
  })
})
