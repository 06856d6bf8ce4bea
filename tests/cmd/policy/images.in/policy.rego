package policy

api_version := "0.10.0"
framework_version := "0.2.3"

containers := [
  {"name": "node", "command": ["/usr/bin/js_generic", "--config", "/etc/node.json"], "env_rules": [{"pattern": "PATH=/usr/bin", "strategy": "string", "required": false}], "layers": ["69e3f3fa47e72b71d75146309fa0b2e0e4bb922703e40d673aa1c156878dad9c", "8201f7cc1edc8b9dddb098696d4849e16e8034f653ac91e2ab05fce887e62c99"], "mounts": [], "exec_processes": [], "signals": [], "allow_elevated": false, "working_dir": "/", "allow_stdio_access": true},
  {"name": "sidecar", "command": ["/sidecar", "--verbose"], "env_rules": [{"pattern": "PATH=/bin", "strategy": "string", "required": false}], "layers": ["37380b2b03c183807b135605aff8325f45cbc5b24f03b0b21d030a41714347b4"], "mounts": [], "exec_processes": [], "signals": [], "allow_elevated": false, "working_dir": "/", "allow_stdio_access": true},
  {"command": ["/pause"], "env_rules": [], "layers": ["16b514057a06ad665f92c02863aca074fd5976c755d26bff16365299169e8415"], "mounts": [], "exec_processes": [], "signals": [], "allow_elevated": false, "working_dir": "/", "allow_stdio_access": false}
]

allow_properties_access := true
allow_dump_stacks := false
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
