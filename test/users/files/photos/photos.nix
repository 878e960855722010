{ pkgs, ... }:
let
  serve = pkgs.writeText "serve.json" ''
    {
      "TCP": { "443": { "HTTPS": true } },
      "Web": {
        "''${TS_CERT_DOMAIN}:443": {
          "Handlers": { "/": { "Proxy": "http://host.containers.internal:2283" } }
        }
      }
    }
  '';
in
{
  virtualisation.oci-containers.containers = {
    photos = {
      image = "example/photos:1.2";
      environment = {
        MODE = "server";
      };
    };
    ts-photos = {
      image = "tailscale/tailscale:v1.94.2";
      hostname = "photos";
      environment = {
        TS_HOSTNAME = "photos";
        TS_STATE_DIR = "/var/lib/tailscale";
        TS_SERVE_CONFIG = "/config/serve.json";
        TS_USERSPACE = "true"; # no rights needed
      };
      environmentFiles = [ "photos.env" ];
      volumes = [
        "ts-photos-state:/var/lib/tailscale"
        "${serve}:/config/serve.json:ro"
      ];
      extraOptions = [ "--add-host=host.containers.internal:host-gateway" ];
    };
  };
}
