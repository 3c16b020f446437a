# to come
end_images() { :; }
