package policy

api_version := "0.10.0"
framework_version := "0.2.3"

fragments := [
  {"feed": "example.org/infra", "includes": ["containers"], "issuer": "did:x509:0:sha256:I__iuL25oXEVFdTP_aBLx_eT1RPHbCQ_ECBQfYZpt9s::eku:1.3.6.1.4.1.311.76.59.1.3", "minimum_svn": "3"}
]

containers := [
  {
    "name": "node",
    "command": ["/usr/bin/js_generic", "--config", "/config.json"],
    "env_rules": [{"pattern": `PATH=/usr/bin`, "strategy": "string", "required": true}, {"pattern": "NAME=.+", "strategy": "re2", "required": false}],
    "layers": ["1111111111111111111111111111111111111111111111111111111111111111"],
    "mounts": [{"destination": "/ledger", "options": ["rbind", "rw"], "source": "sandbox:///ledger", "type": "bind"}],
    "exec_processes": [{"command": ["/bin/sh"], "signals": []}],
    "signals": [],
    "allow_elevated": false,
    "working_dir": "/",
    "allow_stdio_access": true,
  },
  {
    "command": ["/pause"],
    "env_rules": [],
    "layers": ["16b514057a06ad665f92c02863aca074fd5976c755d26bff16365299169e8415"],
    "mounts": [],
    "exec_processes": [],
    "signals": [],
    "allow_elevated": false,
    "working_dir": "/",
    "allow_stdio_access": false,
  },
]

allow_properties_access := true
allow_dump_stacks := true
allow_runtime_logging := false
allow_unencrypted_scratch := false

mount_device := data.framework.mount_device
unmount_device := data.framework.unmount_device
mount_overlay := data.framework.mount_overlay
unmount_overlay := data.framework.unmount_overlay
create_container := data.framework.create_container
exec_in_container := data.framework.exec_in_container
exec_external := data.framework.exec_external
shutdown_container := data.framework.shutdown_container
signal_container_process := data.framework.signal_container_process
plan9_mount := data.framework.plan9_mount
plan9_unmount := data.framework.plan9_unmount
get_properties := data.framework.get_properties
dump_stacks := data.framework.dump_stacks
runtime_logging := data.framework.runtime_logging
load_fragment := data.framework.load_fragment
scratch_mount := data.framework.scratch_mount
scratch_unmount := data.framework.scratch_unmount
reason := {"errors": data.framework.errors}
