package policy

containers := [{"name": "node", "command": ["/node"], "layers": ["9999999999999999999999999999999999999999999999999999999999999999"]}]

create_container := {"allowed": true}
