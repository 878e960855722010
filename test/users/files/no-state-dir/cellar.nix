{ ... }:
{
  virtualisation.oci-containers.containers."cellar-tailscale" = {
    image = "tailscale/tailscale:latest";
    environmentFiles = [ "cellar.env" ];
    environment = {
      TS_EXTRA_ARGS = "--advertise-tags=tag:cellar";
    };
    volumes = [
      "/dev/net/tun:/dev/net/tun:rw"
      "/srv/cellar:/var/lib/tailscale:rw"
    ];
    extraOptions = [ "--cap-add=net_admin" "--hostname=cellar" ];
  };
}
