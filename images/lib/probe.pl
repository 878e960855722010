#!/usr/bin/perl
# Runs `culvert ready [--verbose]` and `culvert live` as agent/cli/ does, without starting Node: kubelet runs them
# regularly, and Node takes twenty times the CPU. What cannot be done here in the same way is left to Node. No module but
# strict is loaded, since each takes longer than everything else.
use strict;

my $socket = $ENV{CULVERT_SOCKET};
$socket = ($ENV{TS_TEST_ONLY_ROOT} // '') . '/tmp/culvert.sock' if ($socket // '') eq '';
my $path = { 'ready' => '/readyz', 'ready --verbose' => '/readyz?verbose', 'live' => '/livez' }->{"@ARGV"};

sub leave_to_node {
  alarm 0;
  $SIG{PIPE} = 'DEFAULT';
  exec {'/usr/local/bin/node'} 'node', '/usr/local/lib/culvert/agent.js', @ARGV or die "culvert: node cannot be started: $!\n";
}

sub fail {
  print STDERR "culvert: no agent answers on $socket: $_[0]\n";
  exit 1;
}

# These are the same on all Linux architectures for which tailscaled is built.
my ($AF_UNIX, $SOCK_STREAM, $PATH_SIZE) = (1, 1, 108);
my %NAMES = (2 => 'ENOENT', 13 => 'EACCES', 111 => 'ECONNREFUSED');

leave_to_node() if !defined $path || length $socket >= $PATH_SIZE;
$SIG{PIPE} = 'IGNORE';
$SIG{ALRM} = sub { fail('no answer within 5 s') };
alarm 5;

socket my $agent, $AF_UNIX, $SOCK_STREAM, 0 or leave_to_node();
if (!connect $agent, pack "S a$PATH_SIZE", $AF_UNIX, $socket) {
  my $name = $NAMES{ $! + 0 } // leave_to_node();
  fail("connect $name $socket");
}
syswrite $agent, "GET $path HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" or leave_to_node();

my $answer = '';
my $got;
do { $got = sysread $agent, $answer, 65536, length $answer } while $got && length $answer < 1 << 20;
leave_to_node() if !defined $got || $got > 0;
alarm 0;

my ($head, $body) = $answer =~ /\A(.*?\r\n)\r\n(.*)\z/s or leave_to_node();
my ($status) = $head =~ m{\AHTTP/1\.1 (\d{3}) } or leave_to_node();
my ($length) = $head =~ /^content-length: (\d+)\r$/mi or leave_to_node();
leave_to_node() if $length != length $body;
print $body;
exit($status == 200 ? 0 : 1);
