import { release } from 'node:os'
import { parseAddress } from '../../lib/address.ts'
import { declareFindings } from '../../lib/declared-finding.ts'
import type { Finding } from '../../lib/finding.ts'
import { isFrom } from '../../wire/capability-version.ts'
import { gsoFault, isSwitchedOff, udpGsoSince, withoutUdpGso } from '../tailscaled/udp-gso.ts'
import { wayTo } from './datagram.ts'
import type { Look, Looking } from './looking.ts'
import { type Transferred, transfer } from './transfer.ts'

export const offload = declareFindings('offload', {
  ok: {
    level: 'ok',
    text: '{what}',
    meaning: 'No fault of segmentation offload is known for this kernel, or tailscaled does without.',
  },
  kernel: {
    level: 'error',
    text: '{fault}, and tailscaled is told to hand packets over so (CULVERT_UDP_GSO=on)',
    remedy: 'Unset CULVERT_UDP_GSO, or update the kernel, unless your distribution has the fix in this one.',
    meaning: 'Known from the release of the kernel. Transfers collapse to some 20 KB/s for some network devices.',
  },
  older: {
    level: 'error',
    text: '{fault}, and tailscaled {version} cannot do without that',
    remedy: 'Use an image with tailscaled 1.100 or later, which obeys CULVERT_UDP_GSO, or update the kernel.',
    meaning: 'As before, and the running tailscaled is older than its switch.',
  },
  nested: {
    level: 'unknown',
    text: '{device} takes UDP in batches (tx-udp-segmentation), which whatever wraps them on the node (its MTU of {mtu} points to VXLAN or another tunnel) must split: whether that works only a transfer shows',
    remedy: 'Measure with --transfer=ADDRESS:PORT; if it collapses, set CULVERT_UDP_GSO=off.',
    meaning:
      'The features of the device were read by ethtool’s calls. Some nodes lose such batches: small answers are fast, and transfers take 20 KB/s.',
  },
  collapsed: {
    level: 'error',
    text: 'only {kib} KiB/s got through to {target} in {seconds} s',
    remedy:
      'Set CULVERT_UDP_GSO=off (with tailscaled from 1.100 on) and measure again: if it is fast then, the node loses what tailscaled hands over in batches. See paths for relays, and mtu.',
    meaning:
      'Measured by --transfer. Less than 256 KiB/s is what broken offload leaves, and what few networks have by themselves.',
  },
  transferred: { level: 'ok', text: '{kib} KiB/s got through to {target}', meaning: 'Measured by --transfer.' },
  notMeasured: {
    level: 'unknown',
    text: 'no transfer to {target} could be measured: {problem}',
    remedy: 'Have something read there what it gets, such as: nc -lk -p 5201 >/dev/null',
    meaning: 'What --transfer names does not accept connections.',
  },
})

/** Below it, the path is broken rather than slow. */
const collapsedBelow = 256

export const lookAtOffload: Look = async (looking) => {
  const { settings, env, run } = looking
  const way = (await wayTo(parseAddress('192.0.2.1')!)) ?? (await wayTo(parseAddress('2001:db8::1')!))
  const features = way === undefined ? '' : await run('perl', ['-e', readFeatures, way.device]).catch(() => '')
  const isOff = isSwitchedOff(env) || withoutUdpGso(settings, release()) !== undefined
  const segments = features.split('\n').includes('tx-udp-segmentation')
  const version = looking.agent?.status.tailscaled.version ?? undefined
  return [...judgeOffload({ kernel: release(), isOff, version, segments, way }), ...(await measured(looking))]
}

type Facts = {
  readonly kernel: string
  /** Whether tailscaled is told to do without; its version, if it runs. */
  readonly isOff: boolean
  readonly version: string | undefined
  /** Whether the device takes UDP in batches. */
  readonly segments: boolean
  readonly way: { readonly device: string; readonly mtu: number } | undefined
}

/** Of these and smaller ones, something on the way takes more of the usual 1500 for headers of its own. */
const wrapped = 1460

export function judgeOffload({ kernel, isOff, version = '', segments, way }: Facts): readonly Finding[] {
  const fault = gsoFault(kernel)
  if (fault !== undefined && isFrom(version, udpGsoSince) === false) return [offload.older({ fault, version })]
  if (isOff)
    return [
      offload.ok({
        what: `tailscaled does without UDP segmentation offload${fault === undefined ? '' : `, since ${fault}`}`,
      }),
    ]
  if (fault !== undefined) return [offload.kernel({ fault })]
  if (segments && way !== undefined && way.mtu <= wrapped) return [offload.nested(way)]
  return [offload.ok({ what: `no fault of Linux ${kernel} is known` })]
}

async function measured(looking: Looking): Promise<readonly Finding[]> {
  const { transfer: target } = looking
  if (target === undefined) return []
  try {
    return [judgeTransfer(target.text, await transfer(target, looking))]
  } catch (problem) {
    return [offload.notMeasured({ target: target.text, problem })]
  }
}

export function judgeTransfer(target: string, { bytes, seconds }: Transferred): Finding {
  const kib = Math.round(bytes / 1024 / seconds)
  const fields = { kib, target, seconds: Math.round(seconds) }
  return kib < collapsedBelow ? offload.collapsed(fields) : offload.transferred({ kib, target })
}

/** Prints the features of a device that are on, by SIOCETHTOOL, for which no rights are needed. */
const readFeatures = `
use strict;
my ($GET, $INFO, $STRINGS, $FEATURES, $SET) = (0x8946, 0x37, 0x1b, 0x3a, 4);
my ($device, $socket) = @ARGV;
socket($socket, 2, 2, 0) or die "socket: $!";
sub ask { my $request = pack('a16 P x16', $device, $_[0]); defined ioctl($socket, $GET, $request) or die "ioctl: $!"; }
my $info = pack('L L Q L', $INFO, 0, 1 << $SET, 0); ask($info);
my $count = (unpack 'L L Q L', $info)[3];
my $strings = pack('L L L', $STRINGS, $SET, $count) . "\\0" x (32 * $count); ask($strings);
my $blocks = int(($count + 31) / 32);
my $features = pack('L L', $FEATURES, $blocks) . "\\0" x (16 * $blocks); ask($features);
for my $i (0 .. $count - 1) {
  my $active = (unpack 'L4', substr $features, 8 + 16 * int($i / 32), 16)[2];
  print unpack('Z32', substr $strings, 12 + 32 * $i, 32), "\\n" if $active & (1 << ($i % 32));
}
`
