/** Numbers of the system calls `prctl` and `socket`. */
const calls = { x64: [157, 41], arm64: [167, 198] } as const

/**
 * A command that runs a program as on a kernel without nf_tables, such as that of a NAS device: a seccomp filter, which
 * all that it starts inherits, has no socket of NETLINK_NETFILTER. It takes Perl.
 */
export function withoutNftables(...argv: readonly string[]): string[] {
  const [prctl, socket] = calls[process.arch as keyof typeof calls]
  return ['perl', '-e', program(prctl, socket), '--', ...argv]
}

const program = (prctl: number, socket: number): string => `
use strict;
my ($LOAD, $EQUALS, $RETURN) = (0x20, 0x15, 0x06);
my ($ALLOW, $EPROTONOSUPPORT) = (0x7fff0000, 0x50000 | 93);
my ($AF_NETLINK, $NETLINK_NETFILTER) = (16, 12);
# The call's number, its first and its third argument: where one differs, to the last line.
my $filter = join '', map { pack 'S C C L', @$_ } (
  [$LOAD, 0, 0, 0], [$EQUALS, 0, 5, ${socket}],
  [$LOAD, 0, 0, 16], [$EQUALS, 0, 3, $AF_NETLINK],
  [$LOAD, 0, 0, 32], [$EQUALS, 0, 1, $NETLINK_NETFILTER],
  [$RETURN, 0, 0, $EPROTONOSUPPORT],
  [$RETURN, 0, 0, $ALLOW],
);
my ($NO_NEW_PRIVS, $SECCOMP, $FILTER) = (38, 22, 2);
syscall(${prctl}, $NO_NEW_PRIVS, 1, 0, 0, 0) == 0 or die "no_new_privs: $!";
syscall(${prctl}, $SECCOMP, $FILTER, pack 'S x6 P', 8, $filter) == 0 or die "seccomp: $!";
exec { $ARGV[0] } @ARGV or die "$ARGV[0]: $!";
`
