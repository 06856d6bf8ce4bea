package policy

api_svn := "0.10.0"

create_container := {"allowed": true}
surprise { input.x == 1 }
